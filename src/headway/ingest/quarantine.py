"""The account of every row: what was read, kept, quarantined, not selected; nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass

from headway.errors import ContractError


@dataclass(frozen=True, slots=True)
class RowAccount:
    """How the data rows of one file were used. `rows_in` counts every row below the header."""

    file: str
    rows_in: int
    kept: int
    quarantined: int
    not_selected: int
    cells_quarantined: int
    zeros_declared_missing: int = 0
    note: str = ""

    def check(self) -> None:
        """Assert that no row was lost or counted twice.

        Raises
        ------
        ContractError
            If rows in != kept + quarantined + not selected.
        """
        if self.rows_in != self.kept + self.quarantined + self.not_selected:
            raise ContractError(
                f"{self.file}: the account of rows does not balance ({self.rows_in} in, "
                f"{self.kept} kept, {self.quarantined} quarantined, "
                f"{self.not_selected} not selected)"
            )

    def as_flow(self) -> list[dict[str, object]]:
        """Write the account as rows of the table `flow`."""
        steps = [
            ("in the file", self.rows_in, self.note or None),
            ("kept", self.kept, None),
            ("quarantined", self.quarantined, "see quarantine: line, column and rule"),
            ("not selected", self.not_selected, "another arm, by keep_where in clinic.yaml"),
        ]
        rows: list[dict[str, object]] = [
            {
                "account": "rows",
                "item": self.file,
                "step": step,
                "n": float(n),
                "of": float(self.rows_in),
                "note": note,
                "redacted": False,
            }
            for step, n, note in steps
        ]
        cells = [
            ("cells set to missing", self.cells_quarantined, "unreadable or out of range"),
            ("zeros declared missing", self.zeros_declared_missing, "by clinic.yaml"),
        ]
        rows += [
            {
                "account": "cells",
                "item": self.file,
                "step": step,
                "n": float(n),
                "of": float("nan"),
                "note": note,
                "redacted": False,
            }
            for step, n, note in cells
        ]
        return rows
