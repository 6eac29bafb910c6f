"""A review of today beside an older run: what came, what moved, and what cannot be compared."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from headway import config, tables
from headway.cli import main, updating
from headway.errors import UserError
from headway.figures.review.update import draw_update
from headway.ingest import trials
from headway.messages import LANGUAGES, Message, speaking, t
from headway.reviews.analyse import analyse_review, empty_review
from headway.reviews.kept import COMPARED, find_kept, keep_results, read_results
from headway.reviews.update import compare_results, find_crossed, pair_trials, same
from tests.unit.review_builder import ARMS_HEADER, REVIEW, write_review

MAIN: dict[str, Any] = REVIEW["comparisons"][0]
COMMON = {"method": "EE", "test": "z"}
FINDING = {
    "comparison": "main",
    "certainty": "low",
    "signed_by": "A. Reader",
    "meaningful": {"value": 1.5, "source": "made up"},
}
# Trial -> people of each arm, mean of the treated, mean of the controls, SD of both.
Numbers = dict[str, tuple[int, float, float, float]]
OLD: Numbers = {"A 2001": (20, 8, 10, 4), "B 2002": (40, 9, 10, 5)}
NEW: Numbers = {**OLD, "Müller & <Ø> 2030": (400, 8.5, 10, 4)}
Build = Callable[..., None]


def write_arms(numbers: Numbers) -> str:
    text = ARMS_HEADER
    for name, (n, treated, control, sd) in numbers.items():
        for arm, mean in (
            ("massage,treatment,manual,", treated),
            ("care,control,,usual_care", control),
        ):
            text += (
                f"{name},{name[-4:]},{arm},frequency,days_per_28,3 months,84,final,{n},"
                f"{mean},{sd},,retrieved,Table 1\n"
            )
    return text  # fmt: skip


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Write the raw review; `headway update` then computes its tables as the workflow's jobs do."""
    monkeypatch.chdir(tmp_path)
    raw = tmp_path / "data/raw/trials/mine"
    monkeypatch.setattr(updating, "run_for", lambda *_: run(raw, tmp_path))

    def write(numbers: Numbers, **changes: Any) -> None:
        changes = {"model": COMMON, **changes}
        write_review(raw, {"arms.csv": write_arms(numbers)}, **changes)

    return write


def run(raw: Path, place: Path) -> int:
    results, state = place / "results/trials" / raw.name, "ready"
    try:
        review = config.load_review(raw)
        read = trials.read_review(raw, review)
        found = analyse_review(read.arms, read.contrasts, read.published, review, read.risk_of_bias)
    except UserError:
        found, state = empty_review(), "refused"
    for name, table in found.items():
        tables.write_csv(table, results / f"{name}.csv")
    tables.write_text("<p>", results / "index.html")
    status = place / "data/processed/trials" / raw.name / "status.json"
    tables.write_text(json.dumps({"state": state}), status)
    return 1 if state == "refused" else 0


def read_changes(place: Path) -> pd.DataFrame:
    return tables.read_csv("changes", place / "results/trials/mine/changes.csv")


def pick(changes: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    for column, value in wanted.items():
        changes = changes[changes[column] == value]
    return changes


def weigh(numbers: Numbers) -> tuple[float, float]:
    """Pool differences of means by inverse variance; returns the estimate and its variance."""
    weights = {name: n / (2 * sd**2) for name, (n, _, _, sd) in numbers.items()}
    total = sum(weights.values())
    return sum(w * (numbers[k][1] - numbers[k][2]) for k, w in weights.items()) / total, 1 / total


def test_a_trial_that_came_moves_the_estimate_by_what_it_weighs(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(OLD, findings=[FINDING])
    assert main(["update", "mine", "--keep"]) == 0
    (kept,) = find_kept(tmp_path / "data", "mine")
    assert capsys.readouterr().out.endswith(f"{Path('data/kept/mine') / kept.name} (kept)\n")
    build(NEW, findings=[FINDING])
    assert main(["update", "mine"]) == 0
    said = capsys.readouterr().out
    assert "Trials that came: Müller & <Ø> 2030." in said
    assert "the interval no longer includes no effect" in said
    assert "the judgement of certainty did not" in said
    assert said.endswith("results/trials/mine/update.html\n")
    changes = read_changes(tmp_path)
    came = pick(changes, part="trials", change="came").set_index("quantity")["after"]
    assert dict(came) == {
        **{"n1": "400", "mean1": "8.5", "sd1": "4", "n2": "400", "mean2": "10", "sd2": "4"},
        **{"yi": "-1.5", "vi": "0.08", "pooled": "yes"},
    }
    (then, old_variance), (now, new_variance) = weigh(OLD), weigh(NEW)
    moved = pick(changes, part="estimates", quantity="estimate").iloc[0]
    assert float(moved["before"]) == pytest.approx(then, abs=1e-9)
    assert float(moved["after"]) == pytest.approx(now, abs=1e-9)
    assert moved["difference"] == pytest.approx(now - then, abs=1e-9)
    high = pick(changes, part="estimates", quantity="ci_high").iloc[0]
    reach = 1.959963984540054
    assert float(high["before"]) == pytest.approx(then + reach * old_variance**0.5, abs=1e-9)
    assert float(high["after"]) == pytest.approx(now + reach * new_variance**0.5, abs=1e-9)
    people = pick(changes, part="estimates", quantity="n_total").iloc[0]
    assert (people["before"], people["after"], people["difference"]) == ("120", "920", 800)
    none = pick(changes, quantity="includes_none").iloc[0]
    assert (none["before"], none["after"]) == ("yes", "no")
    crossed = pick(changes, quantity="crosses").iloc[0]
    assert "finding.no_difference" in crossed["before"]
    assert "finding.no_difference" not in crossed["after"]
    assert len(pick(changes, change="stale")) == 1
    page = (tmp_path / "results/trials/mine/update.html").read_text(encoding="utf-8")
    assert "Müller &amp; &lt;Ø&gt; 2030" in page
    assert "No sequential boundaries are computed" in page
    assert (tmp_path / "results/trials/mine/update/update_main.png").is_file()


def test_the_same_results_are_told_as_the_same_and_kept_once(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(OLD)
    for _ in range(2):
        assert main(["update", "mine", "--keep"]) == 0
    said = capsys.readouterr().out
    assert "Nothing changed since" in said and "nothing new was kept" in said
    assert len(find_kept(tmp_path / "data", "mine")) == 1
    assert len(read_changes(tmp_path)) == 0
    build(NEW)
    assert main(["update", "mine", "--keep"]) == 0
    assert len(find_kept(tmp_path / "data", "mine")) == 2
    assert main(["update", "mine"]) == 0
    assert "Nothing changed" in capsys.readouterr().out
    # Figures of the update before are gone.
    assert not list((tmp_path / "results/trials/mine/update").glob("*"))


def test_numbers_that_were_corrected_are_told_with_the_difference(
    build: Build, tmp_path: Path
) -> None:
    build(NEW)
    main(["update", "mine", "--keep"])
    build({**NEW, "A 2001": (21, 7.5, 10, 4)})
    main(["update", "mine"])
    rows = pick(read_changes(tmp_path), part="trials").set_index("quantity")
    assert set(rows["item"]) == {"A 2001"}
    assert rows.loc["n1", "difference"] == 1
    assert (rows.loc["mean1", "before"], rows.loc["mean1", "after"]) == ("8", "7.5")
    assert rows.loc["mean1", "difference"] == -0.5
    assert rows.loc["yi", "difference"] == -0.5
    assert "mean2" not in rows.index and "weight" not in rows.index


def test_a_trial_that_went_and_one_with_another_name(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(NEW)
    main(["update", "mine", "--keep"])
    renamed = {"A 2001a" if name == "A 2001" else name: NEW[name] for name in NEW if name[0] != "B"}
    build({k.replace("2001a", "1999"): v for k, v in renamed.items()})
    main(["update", "mine"])
    assert "Trials that went: B 2002." in capsys.readouterr().out
    changes = pick(read_changes(tmp_path), part="trials")
    assert set(pick(changes, change="went")["item"]) == {"B 2002"}
    assert not len(pick(changes, change="came"))
    name = pick(changes, quantity="trial").iloc[0]
    assert (name["before"], name["after"]) == ("A 2001", "A 1999")


@pytest.mark.parametrize("came", [True, False])
def test_a_comparison_that_came_or_went_shows_its_numbers(
    build: Build, tmp_path: Path, came: bool
) -> None:
    one, two = [MAIN], [MAIN, {**MAIN, "id": "second", "label": "Second", "measure": "SMD"}]
    build(OLD, comparisons=one if came else two)
    main(["update", "mine", "--keep"])
    build(OLD, comparisons=two if came else one)
    main(["update", "mine"])
    changes = pick(read_changes(tmp_path), part="estimates", comparison="second")
    assert set(changes["change"]) == {"came" if came else "went"}
    values = changes.set_index("quantity")["after" if came else "before"]
    assert {"k", "estimate", "ci_low", "ci_high", "tau2", "i2"} <= set(values.index)
    assert float(values["k"]) == 2 and float(values["ci_low"]) < float(values["estimate"]) < 0


def test_another_measure_is_shown_and_not_subtracted(build: Build, tmp_path: Path) -> None:
    build(OLD)
    main(["update", "mine", "--keep"])
    build(OLD, comparisons=[{**MAIN, "measure": "ROM"}])
    main(["update", "mine"])
    changes = read_changes(tmp_path)
    for part, quantity in (("trials", "yi"), ("estimates", "estimate")):
        row = pick(changes, part=part, quantity=quantity).iloc[0]
        assert float(row["before"]) < -0.9 and math.isnan(row["difference"])
    assert pick(changes, part="settings")["item"].tolist() == ["comparisons.main.measure"]


def test_ratios_are_logs_in_the_table_and_ratios_on_the_page(build: Build, tmp_path: Path) -> None:
    only = [{**MAIN, "measure": "ROM"}]
    build({"A 2001": (20, 8, 10, 4)}, comparisons=only)
    main(["update", "mine", "--keep"])
    build({"A 2001": (20, 6, 10, 4)}, comparisons=only)
    main(["update", "mine"])
    row = pick(read_changes(tmp_path), part="trials", quantity="yi").iloc[0]
    shown = [math.exp(float(row[place])) for place in ("before", "after")]
    page = (tmp_path / "results/trials/mine/update.html").read_text(encoding="utf-8")
    cells = "".join(
        f"<td>{x}</td>" for x in (*(f"{v:.2f}" for v in shown), f"× {shown[1] / shown[0]:.3f}")
    )
    assert cells in page  # fmt: skip


def test_certainty_that_was_judged_again_is_a_change_and_not_stale(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(OLD, findings=[FINDING])
    main(["update", "mine", "--keep"])
    build(NEW, findings=[{**FINDING, "certainty": "moderate"}])
    main(["update", "mine"])
    assert "certainty low then, moderate today" in capsys.readouterr().out
    changes = read_changes(tmp_path)
    assert not len(pick(changes, change="stale"))
    assert "findings.main.certainty" in set(pick(changes, part="settings")["item"])


def test_a_verdict_on_a_printed_number_that_changed(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"id": "all", "label": "All trials", "estimate": f"{weigh(OLD)[0]:.2f}", "k": 2}
    entry |= {"source": "Table 2", "status": "retrieved", "recompute": {"comparison": "main"}}
    build(OLD, published=[entry])
    main(["update", "mine", "--keep"])
    build({**OLD, "A 2001": (20, 5, 10, 4)}, published=[entry])
    main(["update", "mine"])
    assert "all: estimate, reproduced then, not reproduced today" in capsys.readouterr().out
    row = pick(read_changes(tmp_path), part="verdicts", quantity="verdict").iloc[0]
    assert (row["item"], row["before"], row["after"]) == (
        "all: estimate", "reproduced", "not reproduced",
    )  # fmt: skip


@pytest.mark.parametrize("language", ["es", "de"])
def test_the_page_is_complete_in_other_languages(
    build: Build, tmp_path: Path, language: str
) -> None:
    build(OLD, findings=[FINDING])
    main(["update", "mine", "--keep"])
    build(NEW, findings=[FINDING], model={"method": "REML", "test": "knha"})
    assert main(["update", "mine", "--language", language]) == 0
    page = (tmp_path / "results/trials/mine/update.html").read_text(encoding="utf-8")
    assert f'<html lang="{language}">' in page
    assert not re.search(r"\bupdate(_\w+)?\.\w", page.replace("update.html", ""))
    assert "−1,50" in page and "−1.50" not in page
    assert "Looking more than once" not in page and "Trials that came" not in page


# ---- older folders -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep a review once, for tests that only spoil what was kept."""
    place = tmp_path_factory.mktemp("made")
    raw = write_review(place / "data/raw/trials/mine", {"arms.csv": write_arms(OLD)})
    run(raw, place)
    return keep_results(place / "results/trials/mine", raw, place / "data", "2030-01-02", "0.0.9")


def checkout(place: Path) -> Path:
    """Copy a whole run, as a checkout of an older year is."""
    for part in ("data", "results"):
        shutil.copytree(place / part, place / "2030" / part)
    record = json.dumps({"headway": "0.0.9 (abc1234)"})
    (place / "2030/results/provenance.json").write_text(record, encoding="utf-8")
    return place / "2030/results/trials/mine"


def test_a_checkout_tells_version_and_settings_and_a_bare_copy_does_not(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(OLD)
    main(["update", "mine", "--keep"])
    older = checkout(tmp_path)
    build(OLD, title="Another title")
    capsys.readouterr()
    assert main(["update", "mine", "--against", str(older)]) == 0
    said = capsys.readouterr().out
    assert "Headway: 0.0.9 (abc1234) then" in said and "changed: title." in said
    changes = read_changes(tmp_path)
    assert set(changes["part"]) == {"settings", "versions"}
    bare = tmp_path / "copies" / "spring"
    shutil.copytree(older, bare)
    assert main(["update", "mine", "--against", str(bare)]) == 0
    assert "does not say which version" in capsys.readouterr().out
    page = (tmp_path / "results/trials/mine/update.html").read_text(encoding="utf-8")
    assert "Settings are not compared" in page
    assert len(read_changes(tmp_path)) == 0


def test_tables_of_an_older_version_are_compared_as_far_as_they_go(
    build: Build, tmp_path: Path
) -> None:
    build(OLD)
    main(["update", "mine", "--keep"])
    (older,) = find_kept(tmp_path / "data", "mine")
    for name, gone in (("effects", ["instrument", "time1", "items"]), ("pooled", ["q", "h2"])):
        frame = pd.read_csv(older / f"{name}.csv", dtype=str, keep_default_na=False)
        frame.drop(columns=gone).assign(later="x").to_csv(older / f"{name}.csv", index=False)
    (older / "findings.csv").unlink()
    build(NEW)
    assert main(["update", "mine"]) == 0
    changes = read_changes(tmp_path)
    assert set(pick(changes, part="trials")["change"]) == {"came"}
    assert not len(pick(changes, part="estimates", quantity="q"))
    page = (tmp_path / "results/trials/mine/update.html").read_text(encoding="utf-8")
    for told in ("lacks it: findings.csv", "effects.csv lacks them: instrument, items, time1"):
        assert told in page or told.replace("items, time1", "time1, items") in page
    assert "does not know: later" in page


def test_a_run_that_was_refused_has_nothing_to_compare(build: Build, tmp_path: Path) -> None:
    build(OLD)
    main(["update", "mine", "--keep"])
    (older,) = find_kept(tmp_path / "data", "mine")
    build(OLD, outcomes={"frequency": {"unit": "sausages"}})
    assert main(["update", "mine", "--keep"]) == 13
    assert find_kept(tmp_path / "data", "mine") == [older]
    # The other way round: the older run was refused.
    for name in ("effects", "pooled", "findings", "reproduction"):
        tables.write_csv(tables.empty(name), older / f"{name}.csv")
    build(OLD)
    assert main(["update", "mine"]) == 0
    assert set(pick(read_changes(tmp_path), part="trials")["change"]) == {"came"}


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: (f / "effects.csv").unlink(), "no effects.csv"),
        (lambda f: (f / "pooled.csv").write_bytes(b"\xff\xfe\x00"), "cannot be read"),
        (lambda f: (f / "pooled.csv").write_text(""), "cannot be read"),
        (lambda f: (f / "effects.csv").write_text("a;b\n1;2\n"), "cannot be read"),
        (lambda f: (f / "kept.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "kept.json").write_text('{"form": 2}'), "another version"),
        (lambda f: (f / "kept.json").write_text('{"form": 1, "review": "x"}'), "another review, x"),
        (shutil.rmtree, "does not exist"),
    ],
)
def test_a_folder_that_cannot_be_compared_is_refused_before_anything_is_built(
    build: Build, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], told: str,
) -> None:  # fmt: skip
    build(OLD)
    older = tmp_path / "older"
    shutil.copytree(made, older)
    spoil(older)
    monkeypatch.setattr(updating, "run_for", lambda *_: pytest.fail("built"))
    assert main(["update", "mine", "--against", str(older)]) == 12
    said = capsys.readouterr().err
    assert told in said
    assert "--against FOLDER" in said or "update Headway" in said


def test_the_folder_that_is_built_into_is_no_older_one(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    build(OLD)
    assert main(["update", "mine"]) == 12
    assert "headway update mine --keep" in capsys.readouterr().err
    main(["update", "mine", "--keep"])
    assert main(["update", "mine", "--against", "results/trials/mine"]) == 12
    assert "name a copy" in capsys.readouterr().err


# ---- rules ---------------------------------------------------------------------------------------

NAMES = st.sampled_from(["A", "B", "C"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "comparison": st.sampled_from(["x", "y"]),
            "trial": NAMES,
            "arms": st.sampled_from(["1 v 2", "1 v 3"]),
            "timepoint": st.just("t"),
            "instrument": st.none(),
            "yi": st.one_of(st.just(math.nan), st.integers(0, 2).map(float)),
            "vi": st.just(1.0),
        }
    ),
    max_size=8,
)


@settings(max_examples=50)
@given(before=ROWS, after=ROWS)
def test_every_row_stands_in_one_pair_and_pairs_are_of_one_comparison(
    before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> None:
    pairs = pair_trials(before, after)
    assert sorted(id(a) for a, _ in pairs if a is not None) == sorted(map(id, before))
    assert [id(b) for _, b in pairs if b is not None] == list(map(id, after))
    for a, b in pairs:
        assert a is not None or b is not None
        if a is not None and b is not None:
            assert a["comparison"] == b["comparison"]
            assert a["trial"] == b["trial"] or a["yi"] == b["yi"]


@settings(max_examples=30)
@given(rows=ROWS)
def test_a_table_held_against_itself_pairs_each_row_with_its_like(
    rows: list[dict[str, Any]],
) -> None:
    for a, b in pair_trials(rows, [dict(row) for row in rows]):
        assert a is not None and b is not None
        assert all(same(a[c], b[c]) for c in a)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1.0, 1.0 + 1e-9, True),
        (1.0, 1.0001, False),
        (1e6, 1e6 + 0.01, True),
        (0.0, 1e-12, True),
        (None, math.nan, True),
        (None, 0.0, False),
        ("a", "a", True),
        ("a", None, False),
        (True, False, False),
    ],
)
def test_what_is_the_same(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal


def test_thresholds_are_read_from_what_the_finding_holds() -> None:
    across = Message("finding.interval_across", target=Message("target.important_benefit"),
                     percent=95, crossed=[Message("finding.benefit")])  # fmt: skip
    assert find_crossed({"imprecision": across}) == "finding.benefit"
    within = Message("finding.interval_within", target="x", percent=95)
    assert find_crossed({"imprecision": within}) == "update.no_threshold"
    assert find_crossed({"imprecision": Message("finding.no_meaningful")}) == ""
    assert find_crossed({"imprecision": None}) == ""


def test_shipped_results_held_against_themselves_say_nothing(tmp_path: Path) -> None:
    raw = write_review(tmp_path / "data/raw/trials/mine", {"arms.csv": write_arms(NEW)})
    assert run(raw, tmp_path) == 0
    found = read_results(tmp_path / "results/trials/mine", "mine")
    assert len(compare_results(found, found)) == 0


def test_an_older_table_without_words_and_with_an_unknown_measure_is_shown_as_it_is(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(OLD)
    main(["update", "mine", "--keep"])
    (older,) = find_kept(tmp_path / "data", "mine")
    frame = pd.read_csv(older / "pooled.csv", dtype=str, keep_default_na=False)
    frame.drop(columns="label").assign(measure="XYZ").to_csv(older / "pooled.csv", index=False)
    assert main(["update", "mine"]) == 0
    row = pick(read_changes(tmp_path), part="estimates", quantity="measure").iloc[0]
    assert (row["before"], row["after"]) == ("XYZ", "MD")
    # A comparison that is no longer there has no name but the old one's.
    build(OLD, comparisons=[{**MAIN, "label": "Other words"}, {**MAIN, "id": "next", "label": "N"}])
    frame["comparison"] = "next"
    frame.drop(columns="label").assign(subgroup="x").to_csv(older / "pooled.csv", index=False)
    capsys.readouterr()
    assert main(["update", "mine"]) == 0
    assert "next, x: the estimate of the older run is no longer there." in capsys.readouterr().out


def test_rows_of_one_trial_are_matched_where_an_older_table_lacks_what_tells_them_apart() -> None:
    def row(instrument: str | None, yi: float) -> dict[str, Any]:
        head = {"comparison": "x", "trial": "A", "arms": "1 v 2", "timepoint": "t"}
        return {**head, "instrument": instrument, "yi": yi, "vi": 1.0}

    before, after = [row(None, 1.0), row(None, 2.0)], [row("HIT", 1.1), row("MIDAS", 2.1)]
    pairs = pair_trials(before, after, ("instrument",))
    assert [(a["yi"], b["yi"]) for a, b in pairs if a and b] == [(1.0, 1.1), (2.0, 2.1)]
    assert len(pair_trials(before, after)) == 4


def test_estimates_that_differ_late_are_written_until_they_do(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    build(OLD)
    main(["update", "mine", "--keep"])
    build({**OLD, "A 2001": (20, 8.001, 10, 4)})
    main(["update", "mine"])
    then, now = re.search(r"MD (\S+) \(.*?\) then, (\S+) \(", capsys.readouterr().out).groups()  # type: ignore[union-attr]
    assert then != now


def test_the_last_of_many_copies_of_a_day_is_the_newest(tmp_path: Path) -> None:
    for name in ("2030-01-02", "2030-01-02_02", "2030-01-02_10", "2030-01-02_100", "notes"):
        (tmp_path / "kept" / "mine" / name).mkdir(parents=True)
    assert [p.name for p in find_kept(tmp_path, "mine")][-2:] == ["2030-01-02_10", "2030-01-02_100"]


def test_copies_of_one_day_are_numbered_and_hold_tables_settings_and_version(
    tmp_path: Path,
) -> None:
    results, raw = tmp_path / "results", tmp_path / "mine"
    for folder in (results, raw):
        folder.mkdir()
    for table in COMPARED:
        (results / f"{table}.csv").write_text(f"{table}\n")
    (raw / "review.yaml").write_text("id: mine\n")
    for name in ("2031-05-01", "2031-05-01_02", "2031-05-01_03"):
        folder = keep_results(results, raw, tmp_path / "data", "2031-05-01", "1.2")
        assert folder == tmp_path / "data" / "kept" / "mine" / name
        held = {path.name: path.read_text() for path in folder.iterdir()}
        assert {held.pop(f"{table}.csv") for table in COMPARED} == {f"{t}\n" for t in COMPARED}
        assert held.pop("review.yaml") == "id: mine\n"
        assert json.loads(held.pop("kept.json"))["headway"] == "1.2" and not held


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_of_the_figure_is_cut_off_or_runs_into_another(language: str) -> None:
    def row(k: int, *three: float) -> dict[str, Any]:
        return {"k": k, **dict(zip(("estimate", "ci_low", "ci_high"), three, strict=True))}

    gone = row(0, math.nan, math.nan, math.nan)
    rows: list[tuple[str, Any, Any]] = [
        ("a subgroup with a name that nobody would choose and somebody will type " * 4,
         row(2, 0.1, -0.5, 0.7), row(3, 0.2, -0.3, 0.6)),
        ("B", None, row(1, 0.2, -1, 1)),
        ("C", gone, None),
    ]  # fmt: skip
    with speaking(language):
        for measure, given in (("OR", rows), ("PLO", rows[2:])):
            drawing = draw_update(given, "A comparison with many words " * 5, measure, "unit")
            figure = drawing.figure
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            box = canvas.get_renderer()
            texts = [x for x in figure.findobj(Text) if x.get_text() and x.get_visible()]
            places = [x.get_window_extent(box) for x in texts]
            for place in places:
                assert place.x0 >= 0 and place.x1 <= figure.bbox.x1
                assert place.y0 >= 0 and place.y1 <= figure.bbox.y1
            for i, one in enumerate(places):
                for other in places[i + 1 :]:
                    assert not one.shrunk(0.98, 0.9).overlaps(other.shrunk(0.98, 0.9))
            # What is no comparison has no value of no effect.
            assert (t("update.caption_none") in drawing.caption) == (measure == "OR")
