"""What a large clinic stands on: tables read by columns, pairs, caps, and sums per person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from headway import messages, tables
from headway.config import name_clinic
from headway.figures.clinic.change import draw_change
from headway.figures.clinic.sensitivity import draw_clinic_specifications
from headway.messages import Message
from headway.outcomes.care.cost_per_day import Expected, cost_per_day, draw_pairs
from headway.outcomes.change import cohort
from headway.outcomes.change.windows import Comparison, pair_windows
from headway.outcomes.claims import build_claims
from headway.outcomes.claims.file import read_word
from headway.outcomes.claims.sessions import read_points
from headway.outcomes.expectation import longitudinal, multiverse
from headway.report.clinic import patients
from headway.tables import TABLES, files
from tests.unit.test_claims import bare
from tests.unit.test_safety import sessions

NAN = float("nan")


def some_visits() -> pd.DataFrame:
    """Visits of 40 people, in an order that is not theirs, with columns that nobody filled."""
    rng = np.random.default_rng(8)
    rows = [
        {
            "patient_id": f"p{p:02d}",
            "technique": ["manual", "dry_needling", None][p % 3],
            "drug": ["Lidocain", None][p % 2],
            "minutes": [30.0, None][p % 5 == 0],
            "soreness_days": float(rng.integers(0, 4)),
            "soreness_reported": "asked",
            "trigger_points": ["scm:left;masseter:left", "scm:left", None][int(rng.integers(3))],
            "referral_zone": ["eye;none", "ear", "eye;ear", None][int(rng.integers(4))],
            "water_cups": float(rng.integers(0, 5)),
            "homework_done": int(rng.integers(0, 2)),
            "insured": [0, 1, None][p % 3],
        }
        for p in rng.permutation(40).tolist()
        for _ in range(3)
    ]
    return sessions(rows)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    # A quote in a folder's name must not end the engine's text.
    folder = tmp_path_factory.mktemp("it's")
    frame = some_visits()
    tables.write_parquet(frame, folder / "sessions.parquet")
    return frame, folder / "sessions.parquet"


def as_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Write categories and numbers out, so that two ways to hold a table can be compared."""
    plain = frame.copy()
    for column in frame:
        number = pd.api.types.is_numeric_dtype(frame[column])
        plain[column] = frame[column].astype("float64" if number else "object")
    return plain.where(plain.notna(), None)


def test_categories_say_what_the_table_says(stored: tuple[pd.DataFrame, Path]) -> None:
    frame, path = stored
    found = tables.read_categories(path)
    pd.testing.assert_frame_equal(as_texts(found), as_texts(frame))
    assert found["technique"].dtype == "category"
    assert list(found["technique"].cat.categories) == ["dry_needling", "manual"]
    assert not found["technique"].cat.ordered
    assert len(found["sleeping_position"].cat.categories) == 0
    assert found["patient_id"].dtype == "str"  # groups of an empty table are matched by text
    everyone = pd.Index(sorted([*set(frame["patient_id"]), "a", "z"]), name="patient_id")
    pd.testing.assert_frame_equal(tables.read_categories(path, everyone), found)
    wanted = ["minutes", "technique", "patient_id"]
    pd.testing.assert_frame_equal(tables.read_categories(path, everyone, wanted), found[wanted])


def test_one_text_of_a_code_serves_every_row(stored: tuple[pd.DataFrame, Path]) -> None:
    frame, path = stored
    everyone = pd.Index(sorted(set(frame["patient_id"])), name="patient_id", dtype="str")
    one, two = (tables.read_categories(path, everyone, ["patient_id"]) for _ in range(2))
    texts = {id(v) for part in (one, two) for v in part["patient_id"].array.to_numpy(object)}
    assert len(texts) == 40


@pytest.mark.parametrize("held", [0, 120], ids=["on disk", "held"])
def test_a_stored_table_is_read_column_by_column(
    stored: tuple[pd.DataFrame, Path], monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    frame, path = stored
    monkeypatch.setattr(files, "_HELD_ROWS", held)
    found = tables.open_stored(path)
    assert len(found) == len(frame) == 120
    assert found.filled == {c for c in frame if frame[c].notna().any()}
    read = found.read("day", "drug")
    assert list(read) == ["day", "drug"]
    read["day"] = 0  # whoever has it may change it
    read = found.read("day", "drug")
    pd.testing.assert_frame_equal(as_texts(read), as_texts(frame[["day", "drug"]]))
    tables.write_parquet(frame.iloc[:0], path.with_name("none.parquet"))
    nobody = tables.open_stored(path.with_name("none.parquet"))
    assert (len(nobody), nobody.filled) == (0, frozenset())


def test_texts_are_shared_and_say_the_same() -> None:
    everyone = pd.Index(["a", "b", "c"], name="patient_id", dtype="str")
    told = [None, "post", "post", "pre"]
    frame = pd.DataFrame({"patient_id": ["c", "a", "c", "b"], "window": told, "x": [1, 2, 3, 4]})
    frame.index = pd.Index([5, 6, 7, 8])
    shared = files.share_texts(frame, everyone)
    pd.testing.assert_frame_equal(shared, frame)
    held = shared["patient_id"].array.to_numpy(object)
    assert {id(v) for v in held} <= {id(v) for v in everyone.array.to_numpy(object)}
    nobody = files.share_texts(frame.iloc[:0], everyone)
    pd.testing.assert_frame_equal(nobody, frame.iloc[:0])


def test_windows_that_were_slim_are_whole_again() -> None:
    clinic = name_clinic("one")
    rows = [
        ("a", "baseline", "diary", "frequency", 9.3, 8.0, 24.0, 28.0, True),
        ("a", "of its own", "diary", "intensity", 5.1, 3.0, 20.0, np.nan, False),
        ("a", "post", "diary", "frequency", 4.0, 4.0, 28.0, 28.0, True),
        ("b", "post", "visit", "frequency", 7.0, np.nan, np.nan, np.nan, True),
    ]
    windows = tables.conform("windows", pd.DataFrame(rows, columns=list(TABLES["windows"].columns)))
    slim = cohort.slim_windows(windows)
    assert slim.memory_usage()[1:].sum() < 0.8 * windows.memory_usage()[1:].sum()
    pd.testing.assert_frame_equal(cohort.fill_windows(slim, clinic), windows)
    none = tables.empty("windows")
    pd.testing.assert_frame_equal(cohort.fill_windows(cohort.slim_windows(none), clinic), none)


def test_claims_are_the_same_from_columns_on_disk(stored: tuple[pd.DataFrame, Path]) -> None:
    frame, path = stored
    whole = bare(frame)
    keys = frame[["patient_id", "day"]]
    lean = replace(whole, sessions=keys, stored=tables.open_stored(path))
    found = build_claims(whole)
    assert (found["verdict"] != "not recorded").sum() >= 3
    pd.testing.assert_frame_equal(build_claims(lean), found)


def test_tables_are_stacked_as_pandas_does_and_given_up() -> None:
    one = pd.DataFrame({"a": pd.Categorical(["y", "x"]), "b": [1.0, NAN], "c": ["u", "v"]})
    two = pd.DataFrame({"a": pd.Categorical(["z", None]), "b": [3.0, 4.0], "c": ["w", None]})
    plain = pd.DataFrame({"a": ["x"], "b": [5.0], "c": ["x"]})
    parts = [one, two, plain]
    wanted = pd.concat([p.astype({"a": "object"}) for p in parts], ignore_index=True)
    found = tables.stack(tuple(parts))
    assert list(found["a"].cat.categories) == ["x", "y", "z"]
    pd.testing.assert_frame_equal(as_texts(found), as_texts(wanted))
    pd.testing.assert_frame_equal(tables.stack(parts), found)
    assert parts == []
    assert list(one) == ["a", "b", "c"]  # what was handed in stays whole


@pytest.mark.parametrize("two", [False, True])
def test_pairs_are_those_of_a_loop_over_people(two: bool) -> None:
    rng = np.random.default_rng(4)
    rows = [
        {
            "patient_id": f"p{p}",
            "window": window,
            "source": source,
            "outcome": outcome,
            "value": float(rng.integers(0, 29)) if rng.random() < 0.9 else None,
            "count": float(rng.integers(0, 29)),
            "days_observed": 28.0,
            "days_possible": 28.0,
            "complete": rng.random() < 0.8,
        }
        for p in rng.permutation(60)
        for window in ("earlier", "baseline", "post", "followup_1")
        for source in ("diary", "visit")
        for outcome in ("intensity", "frequency")
        if rng.random() < 0.9
    ]
    table = tables.conform("windows", pd.DataFrame(rows))
    comparison = Comparison("primary", "", "baseline", "post", "diary", True, two)
    held = {
        (r["patient_id"], r["outcome"], r["window"]): r
        for r in rows
        if r["source"] == "diary" and r["complete"]
    }
    wanted = []
    for patient, outcome in sorted({key[:2] for key in held}):
        own = [held.get((patient, outcome, w)) for w in (*comparison.befores, comparison.post)]
        if None in own or any(r["value"] is None for r in own if r):
            continue
        *before, after = [r for r in own if r]
        pre = sum(r["value"] for r in before) / len(before)
        count = sum(r["count"] for r in before) / len(before)
        wanted.append((patient, outcome, pre, count, after["value"], after["count"]))
    for frame in (table, table.astype(dict.fromkeys(["window", "source", "outcome"], "category"))):
        found = pair_windows(frame, comparison)
        columns = ["patient_id", "outcome", "pre", "pre_count", "post", "post_count"]
        assert list(found[columns].itertuples(index=False, name=None)) == wanted
        assert (found["change"] == found["post"] - found["pre"]).all()
        assert (found["n_pre"] == len(comparison.befores)).all()
        only = found[found["outcome"] == "frequency"].reset_index(drop=True)
        again = pair_windows(frame, comparison, "frequency")
        pd.testing.assert_frame_equal(as_texts(again), as_texts(only))
        nobody = pair_windows(frame.iloc[:0], comparison)
        assert (len(nobody), list(nobody)) == (0, list(found))


def test_one_set_of_draws_serves_every_expectation() -> None:
    rng = np.random.default_rng(6)
    fees, change = rng.gamma(4, 100, 70).round(), rng.normal(-4, 3, 70)
    drawn = draw_pairs(fees, change, 300, 5)
    for expected in (None, Expected("trial", -1.0, 0.5), Expected("trial", -2.0)):
        alone, shared = (
            cost_per_day(fees, change, expected=expected, replicates=300, seed=5, drawn=d)
            for d in (None, drawn)
        )
        assert np.array_equal(alone.differences, shared.differences)
        assert np.array_equal(alone.costs, shared.costs)
        assert alone.ratio == shared.ratio
    # By hand: the mean of what the seed draws, in the order of the sorted pairs.
    order = np.lexsort((change, fees))
    index = np.random.default_rng(5).integers(0, 70, (300, 70))
    assert np.allclose(drawn[0], fees[order][index].mean(axis=1), rtol=1e-14)
    assert np.allclose(drawn[1], change[order][index].mean(axis=1), rtol=1e-14)


@pytest.mark.parametrize("more", [0, 1])
def test_of_many_lines_some_are_kept_evenly(more: int) -> None:
    n = cohort.MANY_LINES + more
    rng = np.random.default_rng(2)
    pre, post = rng.integers(0, 29, (2, n)).astype(float)
    own = {"patient_id": [f"p{i}" for i in range(n)], "comparison": "primary"}
    change = pd.DataFrame({**own, "outcome": "frequency", "pre": pre, "post": post})
    few = change.iloc[:7].assign(outcome="intensity")
    both = pd.concat([change, few], ignore_index=True)
    both["change"] = both["post"] - both["pre"]
    lines = cohort._draw_lines(both)
    assert "patient_id" not in lines
    kept = lines[lines["outcome"] == "frequency"]
    assert (lines["outcome"] == "intensity").sum() == 7
    assert len(kept) == (cohort.LINES if more else n)
    by = (kept["post"] - kept["pre"]).to_numpy()
    shares = np.linspace(0, 1, 41)
    whole = np.quantile(post - pre, shares)
    assert (np.abs(np.quantile(by, shares) - whole) <= 1).all()
    assert (by.min(), by.max()) == (whole[0], whole[-1])
    pairs = set(zip(pre, post, strict=True))
    assert set(zip(kept["pre"], kept["post"], strict=True)) <= pairs


def ways(note: str | None, n: float, of: float) -> pd.DataFrame:
    """Two specifications, of which the second carries a note."""
    rows = [
        {
            "specification": i,
            "declared": i == 1,
            "outcome": "frequency",
            "unit": "days_per_28",
            "estimate": -2.0 - i,
            "ci_low": -3.0 - i,
            "ci_high": -1.0 - i,
            "n": n if i == 2 else of,
            "of": of,
            "note": note if i == 2 else None,
            "redacted": False,
        }
        for i in (1, 2)
    ]
    frame = pd.DataFrame(rows)
    for column, rule in tables.TABLES["specifications"].columns.items():
        if column not in frame:
            frame[column] = f"{column} a" if rule.kind == "text" else 1
            if rule.kind == "text" and not rule.nullable:
                frame.loc[1, column] = f"{column} b"
    return tables.conform("specifications", frame, check=False)


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_the_page_says_in_how_many_missing_values_were_imputed(language: str) -> None:
    said = ways(str(Message("assumed.sampled", n=5000)), 5000.0, 100_000.0)
    assert multiverse.find_sample(said) == (5000.0, 100_000.0)
    assert multiverse.find_sample(ways(None, 10.0, 10.0)) is None
    with messages.speaking(language):
        drawing = draw_clinic_specifications(said, "headache days")
        plain = draw_clinic_specifications(ways(None, 10.0, 10.0), "headache days")
        words = messages.t("specifications.imputed_in_a_sample", n="5\u202f000", of="100\u202f000")
    assert drawing is not None
    assert plain is not None
    start = words.partition("5")[0]
    assert start in drawing.caption
    assert start not in plain.caption
    digits = "".join(c for c in drawing.caption.partition(start)[2] if c.isdigit())
    assert digits.startswith("5000100000")


@pytest.mark.parametrize("more", [0, 1])
def test_a_long_list_of_people_shows_its_first_rows_and_says_so(more: int) -> None:
    n = patients.MOST_ROWS + more
    found = pd.DataFrame(
        {
            "patient_id": [f"code{i:05d}" for i in range(n)],
            "reason": "got_worse",
            "outcome": "frequency",
            "pre": 5.0,
            "post": 15.0,
            "last_day": 83.0,
            "window_from": 56.0,
            "window_to": 83.0,
        }
    )
    page = patients.build(tables.conform("follow_up", found), name_clinic("c"))
    assert page.count("code0") == patients.MOST_ROWS
    assert f"code{n - 1:05d}" not in page or not more
    assert ("patients.csv holds all" in page) == bool(more)


def test_points_are_those_of_a_loop_over_sessions() -> None:
    rng = np.random.default_rng(9)
    names, zones = ["scm:left", "SCM:left", "masseter:right", "trapezius:left"], ["eye", "None"]
    rows = []
    for p in range(80):
        for _ in range(4):
            k = int(rng.integers(1, 4))
            off = int(rng.random() < 0.2)
            point = ";".join(rng.choice(names, k)) if rng.random() < 0.8 else None
            zone = ";".join(rng.choice(zones, k + off)) if rng.random() < 0.8 else None
            rows.append({"patient_id": f"p{p}", "trigger_points": point, "referral_zone": zone})
    frame = sessions(rows).sample(frac=1, random_state=1, ignore_index=True)
    seen: dict[tuple[str, str], float] = {}
    unnamed, left = [], 0
    for row in frame.sort_values(["patient_id", "day"]).to_dict("records"):
        if not isinstance(row["referral_zone"], str):
            continue
        told = [float(read_word(z) != "none") for z in row["referral_zone"].split(";")]
        if not isinstance(row["trigger_points"], str):
            unnamed += [(row["patient_id"], value) for value in told]
            continue
        point = [read_word(name) for name in row["trigger_points"].split(";")]
        if len(point) != len(told):
            left += 1
            continue
        for name, value in zip(point, told, strict=True):
            seen.setdefault((row["patient_id"], name), value)
    for held in (frame, frame.astype({"trigger_points": "category", "referral_zone": "category"})):
        found = read_points(held)
        alone = found["point"].str.startswith("record ")
        named = found[~alone].set_index(["patient_id", "point"])["refers"].to_dict()
        assert named == seen
        loose = found.loc[alone, ["patient_id", "refers"]].itertuples(index=False, name=None)
        assert sorted(loose) == sorted(unnamed)
        assert found.attrs["left_out"] == left > 0


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_equations_of_sums_per_person_are_those_of_statsmodels(
    family: longitudinal.Family,
) -> None:
    """statsmodels' GEE, exchangeable, robust and bias-reduced (Mancl and DeRouen) covariance."""
    api = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(12)
    person, level, days, count = [], [], [], []
    for i, share in enumerate(rng.beta(3, 4, 45)):
        for k in range(3):
            if rng.random() < 0.85:
                person.append(i)
                level.append(k)
                # statsmodels has no number of days in a binomial variance unless all are alike.
                days.append(28.0 if family == "binomial" else float(rng.integers(10, 29)))
                count.append(float(rng.binomial(int(days[-1]), share * (1 - 0.2 * (k > 0)))))
    order = rng.permutation(len(person))
    who, late, n, y = (np.array(v)[order] for v in (person, level, days, count))
    design = np.column_stack([np.ones(len(who)), late == 1, late == 2]).astype(float)
    found = longitudinal.fit_gee(y, n, design, who, family)
    by = np.argsort(who, kind="stable")
    kind = api.families.Poisson() if family == "poisson" else api.families.Binomial()
    model = api.GEE(
        y[by] if family == "poisson" else (y / n)[by],
        design[by],
        who[by],
        family=kind,
        cov_struct=api.cov_struct.Exchangeable(),
        **({"offset": np.log(n[by])} if family == "poisson" else {}),
    )
    known = model.fit(maxiter=500, ctol=1e-12, params_niter=1)
    assert np.allclose(found.params, known.params, rtol=1e-6)
    assert np.isclose(found.correlation, known.cov_struct.dep_params, rtol=1e-5)
    assert np.allclose(found.robust, known.cov_robust, rtol=1e-5)
    corrected = model.fit(maxiter=500, ctol=1e-12, cov_type="bias_reduced").cov_robust_bc
    assert np.allclose(found.corrected, corrected, rtol=1e-5)


def test_counts_of_many_people_stand_clear_of_each_other() -> None:
    edges = np.arange(-24.0, 20.0, 4.0)
    counts = [344, 2029, 9499, 22919, 46693, 55862, 38053, 14449, 3543, 648, 157]
    histogram = pd.DataFrame(
        {"bin_low": edges, "bin_high": edges + 4, "n": np.array(counts, float), "redacted": False}
    )
    numbers = {"ci_low": 13.0, "ci_high": 17.0, "n": 194196.0, "redacted": False}
    means = pd.DataFrame([{"order": i, "label": "post", "mean": 15.0, **numbers} for i in (0, 1)])
    change = {**numbers, "estimate": -3.07, "of": 300000.0, "unit": "days_per_28"}
    lines = pd.DataFrame({"pre": np.arange(300) % 28, "post": np.arange(300) % 19})
    made = draw_change(means, histogram, lines, change | {"comparison_label": "a"}, "days")
    assert "200 of 194 196 people" in made.caption
    canvas = FigureCanvasAgg(made.figure)
    canvas.draw()
    axes = made.figure.axes[1]
    assert "56 000" in [label.get_text() for label in axes.get_yticklabels()]
    written = [messages.write_integer(n) for n in counts]
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text() in written]
    assert len(boxes) == len(counts)
    bars = [bar.get_window_extent() for bar in axes.patches]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in [*boxes[:i], *boxes[i + 1 :], *bars])
        assert box.y1 < axes.get_window_extent().y1
