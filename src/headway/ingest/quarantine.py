"""The account of every row: what was read, kept, quarantined, not selected; nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headway.errors import ContractError
from headway.messages import Message

# Rules under which nothing is lost: what such a row says stands elsewhere, or was not asked for.
HARMLESS = frozenset({"blank_row", "duplicate_row", "after_end"})


@dataclass(frozen=True, slots=True)
class RowAccount:
    """How the data rows of one file were used. `rows_in` counts every row below the header.

    `rules` counts the rows in quarantine by rule; `lost` are those among them that a rule took
    which loses something (`HARMLESS`).
    """

    file: str
    rows_in: int
    kept: int
    quarantined: int
    not_selected: int
    cells_quarantined: int
    zeros_declared_missing: int = 0
    note: str = ""
    rules: Mapping[str, int] = field(default_factory=dict)
    lost: int = 0

    def check(self) -> None:
        """Assert that no row was lost or counted twice.

        Raises
        ------
        ContractError
            If rows in != kept + quarantined + not selected.
        """
        if self.rows_in != self.kept + self.quarantined + self.not_selected:
            raise ContractError(
                Message(
                    "failure.account",
                    file=self.file,
                    n=self.rows_in,
                    kept=self.kept,
                    quarantined=self.quarantined,
                    not_selected=self.not_selected,
                )
            )

    def as_flow(self) -> list[dict[str, object]]:
        """Write the account as rows of the table `flow`."""
        steps = [
            ("in_the_file", self.rows_in, self.note or None),
            ("kept", self.kept, None),
            ("quarantined", self.quarantined, "account.see_quarantine"),
            ("lost", self.lost, None),
            ("not_selected", self.not_selected, "account.another_arm"),
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
            ("cells_set_to_missing", self.cells_quarantined, "account.unreadable"),
            ("zeros_declared_missing", self.zeros_declared_missing, "account.by_clinic_yaml"),
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
