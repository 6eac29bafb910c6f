"""A folder of reviews: what it holds, the verdict on every stored total, and the page."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headway.report.library import build
from headway.reviews.library import (
    count_verdicts,
    import_sources,
    judge_source,
    list_sources,
    name_source,
    show_source,
)
from headway.tables import conform
from tests.unit.review_builder import write_review
from tests.unit.test_cochrane import TABLES, count, effect_of, pool_fixed, show, write_sheet

Z = 1.959963984540054


def write_totals(folder: Path, name: str, *, scale: float = 1.0, model: str = "NO") -> Path:
    """Write an .rm5 of one analysis, OR by fixed inverse variance; its total times `scale`."""
    effects = [effect_of("OR", *table) for table in TABLES]
    yi, se = pool_fixed(effects)
    estimate, low, high = (scale * math.exp(x) for x in (yi, yi - Z * se, yi + Z * se))
    rows = "".join(
        f'<DICH_DATA STUDY_ID="S{i}" EVENTS_1="{a}" TOTAL_1="{n}" EVENTS_2="{c}" TOTAL_2="{m}"/>'
        for i, (a, n, c, m) in enumerate(TABLES)
    )
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<?xml version="1.0"?><COCHRANE_REVIEW><ANALYSES_AND_DATA><COMPARISON NO="3">'
        f'<DICH_OUTCOME NO="2" METHOD="IV" EFFECT_MEASURE="OR" RANDOM="{model}" TOTALS="YES" '
        f'CI_STUDY="95" CI_TOTAL="95" ESTIMABLE="YES" EFFECT_SIZE="{estimate!r}" '
        f'CI_START="{low!r}" CI_END="{high!r}"><NAME>x</NAME>{rows}</DICH_OUTCOME>'
        "</COMPARISON></ANALYSES_AND_DATA></COCHRANE_REVIEW>",
        encoding="utf-8",
    )
    return path


def test_files_and_reviews_are_listed_once_whatever_their_names(tmp_path: Path) -> None:
    write_totals(tmp_path, "a.rm5")
    write_totals(tmp_path, "sub/a.rm5")
    write_totals(tmp_path, "we{ird} <b>.rm5")
    write_sheet(tmp_path, [count("A", 1, 2, 3, 4)])
    write_review(tmp_path / "mine", {"arms.csv": "trial\n"})
    (tmp_path / ".hidden.rm5").write_text("", encoding="utf-8")
    (tmp_path / "notes.docx").write_text("", encoding="utf-8")
    found = list_sources(tmp_path, tmp_path / "out")
    names = sorted(path.relative_to(tmp_path).as_posix() for path in found.values())
    assert names == ["a.rm5", "mine", "rows.csv", "sub/a.rm5", "we{ird} <b>.rm5"]
    assert all(name.replace("_", "").isalnum() and name == name.lower() for name in found)
    assert set(list_sources(tmp_path, tmp_path / "sub")) < set(found)
    # A name stays when others come.
    before = dict(found)
    write_totals(tmp_path, "0.rm5")
    assert before.items() <= list_sources(tmp_path, tmp_path / "out").items()
    assert name_source(Path("A.rm5")) != name_source(Path("a.rm5"))


def test_a_folder_that_cannot_be_opened_is_a_source_without_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = write_totals(tmp_path, "sub/a.rm5").parent
    write_totals(tmp_path, "b.rm5")
    real = os.scandir

    def scan(path: str) -> Any:
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scan)
    found = list_sources(tmp_path, tmp_path / "out")
    assert sorted(found.values()) == [tmp_path / "b.rm5", locked]
    assert judge_source(locked, "sub")[1]["form"] == "unread"


def test_no_two_paths_are_written_alike() -> None:
    names = ["caf\udce9", "caf\udce8", "a\nb", "a b", "a\x1bb", "ab", "\u202eab"]
    shown = [show_source(Path(name)) for name in names]
    assert len({*shown}) == len(names) and all(text.isprintable() for text in shown)
    assert show_source(Path("sub/Müller {x} <b>.rm5")) == "sub/Müller {x} <b>.rm5"


def test_a_total_that_follows_from_its_rows(tmp_path: Path) -> None:
    table, account = judge_source(write_totals(tmp_path, "a.rm5"), "a.rm5")
    assert table["part"].tolist() == ["estimate", "lower limit", "upper limit"]
    assert set(table["verdict"]) == {"reproduced"} and set(table["analysis"]) == {"3.2"}
    assert table["difference"].abs().max() < 1e-9
    assert (account["form"], account["rows"], account["totals"]) == ("rm5", len(TABLES), 1)
    assert (account["reproduced"], account["not_reproduced"]) == (1, 0)


def test_one_that_does_not_says_by_how_much(tmp_path: Path) -> None:
    table, account = judge_source(write_totals(tmp_path, "a.rm5", scale=1.01), "a.rm5")
    assert set(table["verdict"]) == {"not reproduced"}
    assert table["explanation"].unique().tolist() == ["library.no_choice"]
    assert table["difference"].iloc[0] == pytest.approx(
        -0.01 * math.exp(pool_fixed([effect_of("OR", *t) for t in TABLES])[0]), rel=1e-9
    )
    assert (account["not_reproduced"], account["explained"]) == (1, 0)


@pytest.mark.parametrize(
    ("said", "instead", "choice"),
    [
        ('EFFECT_MEASURE="OR"', 'EFFECT_MEASURE="RR"', "OR IV fixed"),
        ('CI_TOTAL="95"', 'CI_TOTAL="90"', "95 %"),
        ('RANDOM="NO"', 'RANDOM="NO" SWAP_EVENTS="YES"', "OR IV fixed"),
    ],
)
def test_the_choice_nearest_to_the_files_own_is_named(
    tmp_path: Path, said: str, instead: str, choice: str
) -> None:
    path = write_totals(tmp_path, "a.rm5")
    path.write_text(path.read_text(encoding="utf-8").replace(said, instead), encoding="utf-8")
    table, account = judge_source(path, "a.rm5")
    assert table["explanation"].unique().tolist() == [f'library.choice{{"choice":"{choice}"}}']
    assert (account["not_reproduced"], account["explained"]) == (1, 1)


def test_files_that_cannot_be_read_have_a_note_and_stop_nothing(tmp_path: Path) -> None:
    for name, data in {"a.csv": b"a,b\n1,2\n", "b.zip": b"PK\x03\x04", "c.rm5": b""}.items():
        (tmp_path / name).write_bytes(data)
        table, account = judge_source(tmp_path / name, name)
        assert len(table) == 0 and account["form"] == "unread" and account["totals"] == 0
        assert name in account["note"]
    write_review(tmp_path / "mine", {"arms.csv": "trial\n"})
    assert judge_source(tmp_path / "mine", "mine")[1]["form"] == "unread"


def test_lines_that_cannot_be_read_are_told_with_the_verdicts(tmp_path: Path) -> None:
    path = write_totals(tmp_path, "a.rm5")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('EVENTS_1="12"', 'EVENTS_1="Ann 12"'), encoding="utf-8")
    table, account = judge_source(path, "a.rm5")
    assert len(table) == 3 and account["form"] == "rm5"
    assert "column 'EVENTS_1'" in account["note"] and "Ann" not in account["note"]
    rows = [count(f"T{i}", *t) for i, t in enumerate(TABLES)]
    assert judge_source(write_sheet(tmp_path, rows), "rows.csv")[1]["note"] is None
    rows[1] |= {"Analysis group": "one"}
    _, account = judge_source(write_sheet(tmp_path, rows), "rows.csv")
    assert (account["form"], account["rows"]) == ("csv", len(TABLES) - 1)
    assert account["note"].startswith("rows.csv, line 3: ")
    for row in rows:
        row["Analysis group"] = "one"
    _, account = judge_source(write_sheet(tmp_path, rows), "rows.csv")
    assert account["form"] == "unread" and account["note"].endswith("(+ 1)")


def test_verdicts_are_counted_by_the_worst_part() -> None:
    def row(analysis: str, verdict: str, explanation: str = "") -> dict[str, str]:
        return {
            "file": "f",
            "analysis": analysis,
            "verdict": verdict,
            "explanation": explanation,
        }

    rows = [
        row("1", "reproduced"),
        row("1", "not reproduced", 'library.choice{"choice":"x"}'),
        row("2", "reproduced"),
        row("2", "not recomputable"),
        row("3", "not estimable"),
        row("4", "reproduced"),
    ]
    assert count_verdicts(rows) == {
        "totals": 4,
        "reproduced": 1,
        "not_reproduced": 1,
        "explained": 1,
        "not_recomputable": 1,
        "not_estimable": 1,
    }


def test_the_page_counts_and_lists_and_runs_no_name(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>.rm5"
    good = judge_source(write_totals(tmp_path, "a.rm5"), "a.rm5")
    bad = judge_source(write_totals(tmp_path, "b.rm5", scale=2), hostile)
    rows = [
        count(f"T{i}", *t) | show(*effect_of("RR", *t), ratio=True) for i, t in enumerate(TABLES)
    ]
    sheet = judge_source(write_sheet(tmp_path, rows), "rows.csv")
    (tmp_path / "no.csv").write_text("a\n", encoding="utf-8")
    unread = judge_source(tmp_path / "no.csv", "no.csv")
    found = [good, bad, sheet, unread]
    library = conform("library", pd.concat([t for t, _ in found if len(t)], ignore_index=True))
    files = conform("library_files", pd.DataFrame([account for _, account in found]))
    page = build(library, files, "x & y")
    assert "by the method named in the file: 1 of 2." in page
    assert "Files and reviews: 4." in page
    assert f"shown in their file: {len(TABLES)} of {len(TABLES)}." in page
    assert "<script>" not in page and "&lt;script&gt;" in page and "x &amp; y" in page
    assert "no.csv" in page


def test_a_review_is_counted_with_its_comparisons_effects_and_verdicts(tmp_path: Path) -> None:
    asked = [
        {"id": name, "label": name, "estimate": printed, "recompute": {"comparison": "main"}}
        for name, printed in (("right", "-2.00"), ("wrong", "-1.90"))
    ]
    folder = write_review(tmp_path / "mine", published=asked)
    rows, account = judge_source(folder, "mine")
    assert rows["verdict"].tolist() == ["reproduced", "not reproduced"]
    assert (account["form"], account["analyses"], account["rows"]) == ("review", 1, 2)
    assert (account["totals"], account["reproduced"], account["not_reproduced"]) == (2, 1, 1)


def test_files_of_a_library_become_reviews_and_again_where_they_changed(tmp_path: Path) -> None:
    write_totals(tmp_path / "in", "a.rm5")
    (tmp_path / "in" / "b.rm5").write_text("no XML", encoding="utf-8")
    write_review(tmp_path / "in" / "mine")
    out = tmp_path / "out"
    sources = list_sources(tmp_path / "in", out)
    data, faults = import_sources(sources, out)
    made = list((data / "raw" / "trials").iterdir())
    assert data == out / "data" and [(p / "review.yaml").is_file() for p in made] == [True]
    assert len(faults) == 1 and "b.rm5" in str(faults[0])
    before = (made[0] / "review.yaml").stat().st_mtime_ns
    (out / "files").mkdir()
    for later, again in ((-1, False), (1, True)):
        (out / "files" / f"{made[0].name}.json").write_text("{}")
        os.utime(out / "files" / f"{made[0].name}.json", ns=(before + later, before + later))
        import_sources(sources, out)
        assert ((made[0] / "review.yaml").stat().st_mtime_ns != before) == again
