"""Releases of one clinic over time, and an adversary who subtracts them."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from headway import cli, config, disclosure, simulate, tables
from headway.disclosure import PRESETS, releases
from headway.figures import theme
from headway.ingest import clinics
from headway.outcomes import audit
from headway.outcomes.change import cohort
from headway.tables import TABLES

MONTHS = 4
FIRST = 48
NAN = float("nan")
RULES = ("opensafely", "cms", "nhs")
Tables = dict[str, pd.DataFrame]
Cell = tuple[str, tuple[str, ...], str]


@cache
def made() -> simulate.clinic.Simulated:
    return simulate.simulate_clinic(n_patients=FIRST + 40, seed=11, scenario="small_cells")


def write_first(folder: Path, people: int, disclosure: str = "cms") -> Path:
    """Write the first people of a simulated clinic, in the order in which they came."""
    simulate.write_clinic(made(), folder)
    simulate.write_settings(made(), folder)
    codes = list(pd.read_csv(folder / "patients.csv", dtype=str)["code"])[:people]
    for path in folder.glob("*.csv"):
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        frame[frame["code"].isin(codes)].to_csv(path, index=False)
    document = yaml.safe_load((folder / "clinic.yaml").read_text())
    document |= {"id": folder.name, "disclosure": disclosure, "synthetic": False}
    # Few ways to count: what is released again and again are the same rows.
    ways = {"imputations": 2, "cycles": 1, "completeness": [20], "headache_hours": [0.5]}
    document |= {"sensitivity": ways}
    document |= {"bootstrap": {"replicates": 200, "seed": 1}, "gate": {"k": 1}}
    (folder / "clinic.yaml").write_text(yaml.safe_dump(document))
    return folder


@cache
def draft(people: int) -> Tables:
    """Take the first people through the clinic's real path, up to disclosure control."""
    folder = write_first(Path(mkdtemp()) / "clinic", people)
    clinic, out = config.load_clinic(folder), folder.parent / "out"
    flow = clinics.ingest_clinic(folder, clinic, out).as_flow()
    found = audit.audit_clinic(out, clinic, None)
    found["flow"] = cohort.join_flow(tables.conform("flow", pd.DataFrame(flow)), found["flow"])
    return {name: found[name] for name in tables.RELEASED}


def remember(number: int, found: Tables, printed: Tables, preset: str) -> releases.Release:
    true = releases.keep_counts(found, PRESETS[preset])
    return releases.Release(number, "", {}, true, printed)


def series(preset: str, sizes: tuple[int, ...]) -> list[tuple[Tables, Tables]]:
    """Release one clinic again and again, by the tables alone: (before control, printed)."""
    rules = PRESETS[preset]
    alike = [n for n in RULES if PRESETS[n].redact_up_to == rules.redact_up_to]
    same = [n for n in alike if PRESETS[n].round_to == rules.round_to]
    return _series(same[0], sizes)  # presets of the same numbers are released once


@cache
def _series(preset: str, sizes: tuple[int, ...]) -> list[tuple[Tables, Tables]]:
    # Series that begin alike share their first releases.
    if not sizes:
        return []
    before = _series(preset, sizes[:-1])
    kept = [remember(i, *one, preset) for i, one in enumerate(before, 1)]
    found = draft(sizes[-1])
    return [*before, (found, disclosure.release(found, PRESETS[preset], kept))]


# -- the adversary


def cells(frames: Mapping[str, pd.DataFrame], kinds: tuple[str, ...]) -> Iterator[tuple[Cell, Any]]:
    """List the cells of some classes that say something."""
    for table, frame in frames.items():
        columns = [c for c, r in TABLES[table].columns.items() if r.disclosure.kind in kinds]
        for row in frame.to_dict("records"):
            key = tuple(str(row[k]) for k in TABLES[table].key)
            for column in columns:
                # A flag cannot be empty: that of a row that is withheld says nothing.
                flag = isinstance(row[column], bool | np.bool_) and row.get("redacted", False)
                if not flag and not pd.isna(row[column]) and column not in TABLES[table].key:
                    yield (table, key, column), row[column]


def derive(printed: Tables, true: Tables) -> dict[Cell, float]:
    """Work out counts from others: complements, and groups from their total and each other."""
    known = {cell: float(v) for cell, v in cells(printed, ("count",))}
    truth = {cell: float(v) for cell, v in cells(true, ("count",))}
    ties: list[tuple[Cell, list[Cell]]] = []
    for table, frame in true.items():
        if "group" not in frame or "group" not in TABLES[table].key:
            continue
        rest = [k for k in TABLES[table].key if k != "group"]
        for _, rows in frame.groupby(rest, dropna=False):
            whole = rows[rows["group"] == "all"]
            for _, part in rows.groupby(rows["group"].str.split(": ").str[0]):
                for column in ("n", "count"):
                    if column not in frame or not len(whole) or set(part["group"]) == {"all"}:
                        continue
                    at = [
                        (table, tuple(str(r[k]) for k in TABLES[table].key), column)
                        for r in [*whole.to_dict("records"), *part.to_dict("records")]
                    ]
                    numbers = [truth.get(cell) for cell in at]
                    if None not in numbers and numbers[0] == sum(numbers[1:]):  # type: ignore[arg-type]
                        ties.append((at[0], at[1:]))
    for cell in list(truth):
        table, key, column = cell
        if column == "count" and (table, key, "n") in truth:
            other = (table, key, "others")
            truth[other] = truth[table, key, "n"] - truth[cell]
            ties.append(((table, key, "n"), [cell, other]))
    moved = True
    while moved:
        moved = False
        for total, parts in ties:
            unknown = [c for c in (total, *parts) if c not in known]
            if len(unknown) != 1:
                continue
            moved = True
            if unknown[0] == total:
                known[total] = sum(known[p] for p in parts)
            else:
                known[unknown[0]] = known[total] - sum(known[p] for p in parts if p in known)
    return known


@pytest.mark.parametrize("preset", RULES)
@pytest.mark.parametrize(
    "sizes", [tuple(range(FIRST, FIRST + MONTHS)), (FIRST, FIRST + 13, FIRST + 14, FIRST + 27)]
)
def test_no_difference_of_releases_isolates_anybody(preset: str, sizes: tuple[int, ...]) -> None:
    """One more person a month, in files with new codes each time, so that counts alone tell."""
    most, base = PRESETS[preset].redact_up_to, PRESETS[preset].round_to
    made = series(preset, sizes)
    # Of each release: the counts behind it, the estimates it prints, the counts worked out from it.
    all_counts = [{c: float(v) for c, v in cells(true, ("count",))} for true, _ in made]
    all_numbers = [dict(cells(printed, ("estimate", "share"))) for _, printed in made]
    worked_out = [derive(printed, true) for true, printed in made] if base == 1 else []
    compared = 0
    for i, j in combinations(range(len(made)), 2):
        counts, numbers = (
            [everything[i], everything[j]] for everything in (all_counts, all_numbers)
        )
        for cell in numbers[0].keys() & numbers[1].keys():
            table, key, column = cell
            one, two = (float(n[cell]) for n in numbers)
            if one == two:
                continue
            stands = TABLES[table].columns[column].disclosure.n
            added = [abs(counts[1][table, key, n] - counts[0][table, key, n]) for n in stands]
            assert min(added) > most, (cell, added)
            compared += 1
        if base == 1:
            known, later = worked_out[i], worked_out[j]
            for cell in known.keys() & later.keys():
                change = abs(known[cell] - later[cell])
                assert change == 0 or change > most, (cell, change)
    if max(np.diff(sizes)) > most:
        assert compared  # what many people lie between is printed


def test_what_no_rule_over_time_holds_back_isolates_somebody() -> None:
    """The adversary finds what he is there for where every release is made as if the first."""
    (_, one), (_, two) = (series("cms", (n,))[0] for n in (FIRST, FIRST + 1))
    known = [derive(one, draft(FIRST)), derive(two, draft(FIRST + 1))]
    common = known[0].keys() & known[1].keys()
    assert [c for c in common if abs(known[0][c] - known[1][c]) == 1]
    means = [dict(cells(t, ("estimate",))) for t in (one, two)]
    assert [c for c in means[0].keys() & means[1].keys() if means[0][c] != means[1][c]]


@pytest.mark.parametrize("preset", RULES)
def test_the_same_tables_are_released_as_they_were(preset: str) -> None:
    first = series(preset, (FIRST, FIRST))
    for name in tables.RELEASED:
        pd.testing.assert_frame_equal(first[0][1][name], first[1][1][name])


@pytest.mark.parametrize("table", ["change_histogram", "window_means"])
def test_a_table_that_no_earlier_release_had_is_released_as_it_is(table: str) -> None:
    """Of a clinic that was first released by a version without the table."""
    names = {
        "change_histogram": {"bin_low": [0.0, 4.0], "bin_high": [4.0, 8.0], "n": [30.0, 40.0]},
        "window_means": {"window": ["baseline", "post"], "label": "", "order": [0, 1]},
    }
    rows = {"outcome": "frequency", "comparison": "primary", "redacted": False, **names[table]}
    frame = tables.conform(table, pd.DataFrame(rows), check=False)
    earlier = [releases.Release(1, "", {}, {}, {})]
    shown = releases.keep_back(table, frame, frame, earlier, PRESETS["opensafely"])
    pd.testing.assert_frame_equal(shown, frame)


def test_few_people_are_counted_whether_they_are_new_gone_or_changed() -> None:
    before = {f"p{i}": "a" for i in range(60)}
    kept = [releases.Release(4, "", before, {}, {})]
    cms = PRESETS["cms"]
    for people, found in (
        (before, None),
        (before | {"new": "a"}, (4, 1)),
        ({k: v for k, v in before.items() if k != "p1"}, (4, 1)),
        (before | {"p3": "b"}, (4, 1)),
        ({k: v for k, v in before.items() if k != "p1"} | {"new": "a"}, (4, 2)),
        (before | {f"new{i}": "a" for i in range(10)}, (4, 10)),
        (before | {f"new{i}": "a" for i in range(11)}, None),
    ):
        assert releases.find_few(kept, people, cms) == found


def test_a_release_is_remembered_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"account": "people", "item": "all", "step": "started", "n": 40.0, "redacted": False}
    frame = tables.conform("flow", pd.DataFrame([row]), check=False)
    made = releases.Release(1, "d1", {"p1": "r1"}, {"flow": frame}, {"flow": frame.assign(n=NAN)})
    releases.write_release(made, tmp_path)

    def stop(text: str, path: Path) -> None:
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as full:
        full.setattr(releases, "write_text", stop)
        with pytest.raises(OSError, match="no space"):
            releases.write_release(replace(made, number=2), tmp_path)
    (tmp_path / "0002" / "true").mkdir(parents=True)  # as an older version left it
    (kept,) = releases.read_releases(tmp_path)
    assert (kept.number, kept.digest, kept.people) == (1, "d1", {"p1": "r1"})
    assert kept.true["flow"]["n"].tolist() == [40]
    assert kept.printed["flow"]["n"].isna().tolist() == [True]
    releases.write_release(replace(made, number=2, digest="d2"), tmp_path)
    assert [r.digest for r in releases.read_releases(tmp_path)] == ["d1", "d2"]
    assert not list(tmp_path.glob(".*"))


# -- the command


def build(data: Path, results: Path, people: int, preset: str = "cms") -> None:
    """Build a draft as the workflow does."""
    raw = data / "raw" / "clinics" / "own"
    kept = raw / ".releases"
    for path in raw.glob("*.*"):
        if path != kept:
            path.unlink()
    write_first(raw, people, preset)
    out = data / "processed" / "clinics" / "own"
    clinic = config.load_clinic(raw)
    clinics.ingest_clinic(raw, clinic, out)
    for name, frame in draft(people).items():
        tables.write_csv(frame, out / f"{name}.csv")
    tables.write_text(config.write_settings(clinic), out / "clinic.json")
    status = {"name": "own", "state": "ready", "problems": []}
    tables.write_text(json.dumps(status), out / "status.json")
    tables.write_text("a draft", results / "clinics" / "own" / "audit.html")


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theme, "PNG_DPI", 20)


def run(data: Path, results: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = cli.main(["release", "own", "--data", str(data), "--results", str(results)])
    said = capsys.readouterr()
    return code, said.out + said.err


def read_all(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def test_releases_are_written_remembered_refused_and_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, results = tmp_path / "data", tmp_path / "results"
    (data / "raw" / "clinics" / "own").mkdir(parents=True)
    code, said = run(data, results, capsys)
    assert code == 12 and "headway audit own" in said
    build(data, results, FIRST)
    assert run(data, results, capsys)[0] == 0
    first = results / "releases" / "own" / "0001"
    made = read_all(first)
    assert {f"{n}.csv" for n in tables.RELEASED} | {"audit.html"} <= made.keys()
    assert '<a href="../../../index.html">' in (first / "audit.html").read_text()
    # The same draft: the same release, whatever became of the folder.
    shutil.rmtree(first)
    code, said = run(data, results, capsys)
    assert code == 0 and "released before" in said
    assert read_all(first) == made
    # One person more.
    build(data, results, FIRST + 1)
    code, said = run(data, results, capsys)
    assert code == 13 and "one person" in said and "more than 10 people" in said
    assert [p.name for p in first.parent.iterdir()] == ["0001"]
    # Many more.
    build(data, results, FIRST + 13)
    assert run(data, results, capsys)[0] == 0
    assert read_all(first) == made
    second = tables.read_csv("cohort", first.parent / "0002" / "cohort.csv")
    row = second[second["primary"] & (second["statistic"] == "change_mean")]
    assert row["group"].eq("all").any()


def test_what_is_remembered_is_no_record_and_nobody_elses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, results = tmp_path / "data", tmp_path / "results"
    build(data, results, FIRST)
    assert run(data, results, capsys)[0] == 0
    memory = data / "raw" / "clinics" / "own" / ".releases"
    assert (memory / ".gitignore").read_text() == "*\n"
    codes = set(pd.read_csv(data / "raw/clinics/own/patients.csv", dtype=str)["code"])
    for path in memory.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
        if path.is_file():
            assert not [c for c in codes if c in path.read_text()]
    assert stat.S_IMODE(memory.stat().st_mode) == 0o700
    true = tables.read_csv("cohort", memory / "0001" / "true" / "cohort.csv")
    assert true["estimate"].isna().all() and true["n"].notna().any()


def test_drafts_under_internal_are_not_released(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(tmp_path / "data", tmp_path / "results", FIRST, "internal")
    code, said = run(tmp_path / "data", tmp_path / "results", capsys)
    assert code == 13 and "internal" in said
    assert not (tmp_path / "results" / "releases").exists()
