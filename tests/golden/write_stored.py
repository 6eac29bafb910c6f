"""Write what the program makes of the project's own data, below inside/golden/stored.

    python tests/golden/write_stored.py

`tests/golden/test_stored.py` holds the program to it. Where a difference is meant, say so in
CHANGELOG.md; where it is one of disclosure control, run the attacks first
(`pytest tests/unit/test_disclosure*.py`), since an adversary subtracts a clinic's pages.
"""

from __future__ import annotations

import json
import lzma
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from headway import tables  # noqa: E402
from headway.disclosure import PRESETS, RULES, release, releases  # noqa: E402
from tests.golden.test_stored import (  # noqa: E402
    CLINICS,
    MADE_UP,
    MANY,
    REVIEWS,
    SIXTY,
    STORED,
    STRICT,
    UNCHECKED,
    Tables,
    analyse_review,
    audit,
    audit_made_up,
    compare_older,
    list_ties,
    release_unchecked,
    stored,
)
from tests.golden.test_stored_choices import list_answers, list_ways  # noqa: E402
from tests.golden.test_stored_readings import CASES, read  # noqa: E402
from tests.golden.test_stored_words import ask_all  # noqa: E402
from tests.golden.test_variants import read_all  # noqa: E402
from tests.unit.pages_builder import RAW  # noqa: E402
from tests.unit.simulated_clinic import simulated  # noqa: E402

JOINED_LATE = 2  # people of the demo whom its earlier release did not have


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


def store(name: str, document: dict[str, Any]) -> None:
    """Write a file with the same bytes for the same tables."""
    packed = lzma.compress(json.dumps(document).encode(), preset=9 | lzma.PRESET_EXTREME)
    (STORED / f"{name}.json.xz").write_bytes(packed)


def main() -> None:
    """Analyse, release and store."""
    STORED.mkdir(parents=True, exist_ok=True)
    for name in (*REVIEWS, MADE_UP):
        store(name, {"tables": write(analyse_review(name))})
    with tempfile.TemporaryDirectory() as place:
        leave_out(RAW / "clinics" / "demo", Path(place) / "demo", JOINED_LATE)
        before = audit(Path(place) / "demo")
    rules = PRESETS["opensafely"]
    printed = release(before, rules)
    for name in CLINICS:
        found = audit(RAW / "clinics" / name)
        kept = {"tables": write(found)}
        kept |= {preset: write(release(found, PRESETS[preset])) for preset in STRICT}
        if name == "demo":
            true = releases.keep_counts(before, rules)
            again = releases.Release(1, "", {}, true, printed)
            kept |= {"true": write(true), "printed": write(printed)}
            kept["again"] = write(release(found, rules, [again]))
        store(name, kept)
    found = audit_made_up()
    store(SIXTY, {"tables": write(found), "cms": write(release(found, PRESETS["cms"]))})
    found = {name: simulated(240, 6)[1][name] for name in RULES}
    found["change_lines"] = found["change_lines"].head(0)
    kept = {"tables": write(found), "opensafely": write(release(found, rules))}
    kept |= {f"unchecked {name}": write(release_unchecked(found, name)) for name in UNCHECKED}
    store(MANY, kept)
    store("changes", {"tables": write({"changes": compare_older()})})
    store("words", ask_all())
    store("readings", {name: read(name) for name in CASES})
    store("variants", read_all())
    store("ways", list_ways())
    store("answers", {name: list_answers(name) for name in (*REVIEWS, MADE_UP)})
    store("ledgers", {name: list_ties(stored(name)["tables"]) for name in (*CLINICS, SIXTY, MANY)})


if __name__ == "__main__":
    main()
