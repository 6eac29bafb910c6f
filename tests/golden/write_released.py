"""Write what disclosure control lets through of two clinics, below inside/golden/released.

    python tests/golden/write_released.py

A clinic's pages are subtracted from its earlier ones, so that a program that hides other numbers
than the last version did can give a person away. `tests/golden/test_released.py` holds disclosure
control to what is stored here. Where a difference is meant, run the attacks first
(`pytest tests/unit/test_disclosure*.py`), then this.
"""

from __future__ import annotations

import json
import lzma
import shutil
import sys
import tempfile
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from headway import config, tables  # noqa: E402
from headway.disclosure import PRESETS, RULES, release, releases  # noqa: E402
from headway.ingest import clinics  # noqa: E402
from headway.outcomes import audit  # noqa: E402
from headway.outcomes.change import cohort  # noqa: E402
from tests.golden.test_released import STORED, STRICT  # noqa: E402
from tests.unit.pages_builder import RAW, published_arms  # noqa: E402

Tables = dict[str, pd.DataFrame]
JOINED_LATE = 2  # people of the demo whom its earlier release did not have


def analyse(folder: Path) -> Tables:
    """Audit a clinic's files; lines of people, which no preset prints, stay where made up."""
    clinic = config.load_clinic(folder)
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out"
        flow = clinics.ingest_clinic(folder, clinic, out).as_flow()
        found = audit.audit_clinic(out, clinic, published_arms())
    rows = tables.conform("flow", pd.DataFrame(flow))
    found["flow"] = cohort.join_flow(rows, found["flow"])
    found["change_lines"] = found["change_lines"].head(20 if clinic.synthetic else 0)
    return {name: found[name] for name in RULES}


def leave_out(folder: Path, target: Path, people: int) -> None:
    """Copy a clinic's files without its last people."""
    shutil.copytree(folder, target)
    last = pd.read_csv(folder / "patients.csv", dtype=str)["code"].tail(people)
    for path in target.glob("*.csv"):
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        rows[~rows["code"].isin(last)].to_csv(path, index=False)


def write(found: Tables) -> dict[str, str]:
    """Write tables as the texts of their files."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "table.csv"
        texts = {}
        for name, frame in found.items():
            tables.write_csv(frame, path)
            texts[name] = path.read_text(encoding="utf-8")
    return texts


def main() -> None:
    """Analyse, release and store."""
    STORED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        earlier = Path(place) / "demo"
        leave_out(RAW / "clinics" / "demo", earlier, JOINED_LATE)
        before = analyse(earlier)
    rules = PRESETS["opensafely"]
    printed = release(before, rules)
    for name in ("demo", "kostecki_dillon_1999"):
        found = analyse(RAW / "clinics" / name)
        kept = {"tables": write(found)}
        kept |= {preset: write(release(found, PRESETS[preset])) for preset in STRICT}
        if name == "demo":
            true = releases.keep_counts(before, rules)
            again = releases.Release(1, "", {}, true, printed)
            kept |= {"true": write(true), "printed": write(printed)}
            kept["again"] = write(release(found, rules, [again]))
        packed = lzma.compress(json.dumps(kept).encode(), preset=9 | lzma.PRESET_EXTREME)
        (STORED / f"{name}.json.xz").write_bytes(packed)


if __name__ == "__main__":
    main()
