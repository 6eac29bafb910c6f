"""The account of every row: what was read, kept, quarantined, not selected; nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass

from headway.errors import ContractError
from headway.messages import Message


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
            ("in_the_file", self.rows_in, self.note or None),
            ("kept", self.kept, None),
            ("quarantined", self.quarantined, Message("flow.see_quarantine")),
            ("not_selected", self.not_selected, Message("flow.another_arm")),
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
            ("cells_set_to_missing", self.cells_quarantined, Message("flow.unreadable")),
            ("zeros_declared_missing", self.zeros_declared_missing, Message("flow.by_clinic_yaml")),
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
