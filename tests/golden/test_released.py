"""What is released of a clinic stays what it was, until somebody means to change it.

Whoever has two pages of a clinic subtracts them, so that a number which only one version of the
program hides is no longer hidden. The stored answers are those of the program itself, and the
attacks of `tests/unit/test_disclosure*.py` are held against the same clinics; they are written by
`tests/golden/write_released.py`.
"""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest

from headway import tables
from headway.disclosure import PRESETS, release, releases

STORED = Path(__file__).parent / "inside" / "golden" / "released"
STRICT = ("opensafely", "cms", "nhs")
REMEDY = "if this is meant, run the attacks, then tests/golden/write_released.py"


@cache
def stored(clinic: str) -> dict[str, Any]:
    """Read a clinic's tables before disclosure control, and after it."""
    document = json.loads(lzma.decompress((STORED / f"{clinic}.json.xz").read_bytes()))
    with TemporaryDirectory() as place:
        path = Path(place) / "table.csv"

        def read(name: str, text: str) -> pd.DataFrame:
            path.write_text(text, encoding="utf-8")
            return tables.read_csv(name, path, check=False)

        return {part: {n: read(n, t) for n, t in own.items()} for part, own in document.items()}


def hold(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    assert set(found) == set(expected)
    for name, frame in found.items():
        with TemporaryDirectory() as place:  # as it would be read back
            tables.write_csv(frame, Path(place) / "table.csv")
            frame = tables.read_csv(name, Path(place) / "table.csv", check=False)
        for column in expected[name]:
            pd.testing.assert_series_equal(
                frame[column],
                expected[name][column],
                rtol=1e-9,
                obj=f"{name}.{column}: {REMEDY}; it",
            )


@pytest.mark.parametrize("preset", STRICT)
@pytest.mark.parametrize("clinic", ["demo", "kostecki_dillon_1999"])
def test_a_first_release_prints_what_it_did(clinic: str, preset: str) -> None:
    kept = stored(clinic)
    hold(release(kept["tables"], PRESETS[preset]), kept[preset])


def test_a_second_release_prints_what_it_did() -> None:
    kept = stored("demo")
    earlier = releases.Release(1, "", {}, kept["true"], kept["printed"])
    found = release(kept["tables"], PRESETS["opensafely"], [earlier])
    hold(found, kept["again"])
    # What two people more would isolate is kept back.
    assert (
        found["cohort"]["estimate"].notna().sum()
        < kept["opensafely"]["cohort"]["estimate"].notna().sum()
    )
