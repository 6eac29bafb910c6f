"""`headway new-review FILE`: tables of trials of many shapes -> the right pooled numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import yaml

from headway import config, meta
from headway.cli import main
from headway.errors import InputError
from headway.ingest import trials
from headway.ingest.proposals.published import make_review
from headway.ingest.proposals.published.cells import find_decimal, read_three, read_two
from headway.ingest.proposals.published.words import read_head
from headway.reviews.analyse import analyse_review

# Trial, year, and of each arm n, mean, SD.
MEANS = [
    ("Adams", 2001, (20, 8.1, 4.2), (22, 10.4, 5.1)),
    ("Berger", 2005, (41, 6.5, 3.9), (40, 8.0, 4.4)),
    ("Costa", 2012, (30, 9.9, 5.0), (31, 10.2, 4.8)),
]
# Trial, year, and of each arm events among people.
COUNTS = [
    ("Adams", 2001, (12, 40), (6, 41)),
    ("Berger", 2005, (20, 60), (15, 58)),
    ("Costa", 2012, (9, 33), (8, 30)),
]


def pool(yi: Sequence[float], vi: Sequence[float]) -> tuple[float, float, float]:
    fit = meta.pool(np.array(yi), np.array(vi), method="REML", test="adhoc")
    return float(fit.estimate), float(fit.ci_low), float(fit.ci_high)


def pool_means() -> tuple[float, float, float]:
    """Pool the differences of means by hand: treatment - control, unequal variances."""
    yi = [t[1] - c[1] for _, _, t, c in MEANS]
    vi = [t[2] ** 2 / t[0] + c[2] ** 2 / c[0] for _, _, t, c in MEANS]
    return pool(yi, vi)


def pool_risks() -> tuple[float, float, float]:
    yi = [math.log((a / n) / (c / m)) for _, _, (a, n), (c, m) in COUNTS]
    vi = [1 / a - 1 / n + 1 / c - 1 / m for _, _, (a, n), (c, m) in COUNTS]
    return pool(yi, vi)


def silent(question: str, answers: Sequence[str]) -> None:
    return None


def answering(*given: str) -> Callable[[str, Sequence[str]], str | None]:
    left = list(given)
    return lambda question, answers: left.pop(0) if left and left[0] in answers else None


def make(
    path: Path, ask: Callable[[str, Sequence[str]], str | None] = silent
) -> tuple[dict[str, tuple[float, float, float]], str]:
    """Make the review, then pool it as a build does: comparison -> estimate and limits."""
    made = make_review(path, "mine", path.parent / "data", ask)
    text = (made.folder / "review.yaml").read_text(encoding="utf-8")
    review = config.load_review(made.folder)
    read = trials.read_review(made.folder, review)
    tables = analyse_review(
        read.arms, read.contrasts, read.published, review, read.risk_of_bias, read.ipd,
        explore=False,
    )  # fmt: skip
    pooled = tables["pooled"]
    own = pooled[pooled["declared"] & (pooled["subgroup"] == "overall")]
    found = {row.comparison: (row.estimate, row.ci_low, row.ci_high) for row in own.itertuples()}
    return found, text


def write_csv(path: Path, rows: Sequence[Sequence[object]], sign: str = ",") -> Path:
    path.write_text("\n".join(sign.join(map(str, row)) for row in rows) + "\n", encoding="utf-8")
    return path


def wide(header: Sequence[str], write: Callable[[object], str] = str) -> list[list[object]]:
    rows = [[f"{s} {y}", *map(write, t), *map(write, c)] for s, y, t, c in MEANS]
    return [list(header), *rows]


HEADERS = {
    "en": ["Study", "n treatment", "mean treatment", "SD treatment",
           "n control", "mean control", "SD control"],
    "short": ["study", "n_t", "mean_t", "sd_t", "n_c", "mean_c", "sd_c"],
    "camel": ["Author", "nExp", "meanExp", "sdExp", "nCtrl", "meanCtrl", "sdCtrl"],
    "sham": ["Trial", "N acupuncture", "Mean acupuncture", "SD acupuncture",
             "N sham", "Mean sham", "SD sham"],
    "de": ["Studie", "n Behandlung", "Mittelwert Behandlung", "SD Behandlung",
           "n Kontrolle", "Mittelwert Kontrolle", "SD Kontrolle"],
    "de_short": ["Autor", "Anzahl IG", "MW IG", "Standardabweichung IG",
                 "Anzahl KG", "MW KG", "Standardabweichung KG"],
    "es": ["Estudio", "n tratamiento", "media tratamiento", "DE tratamiento",
           "n control", "media control", "DE control"],
    "es_group": ["Autores", "Pacientes grupo intervención", "Media grupo intervención",
                 "DE grupo intervención", "Pacientes grupo control", "Media grupo control",
                 "DE grupo control"],
    "usual": ["Reference", "Massage total", "Massage mean", "Massage SD",
              "Usual care total", "Usual care mean", "Usual care SD"],
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_both_arms_in_a_row(name: str, tmp_path: Path) -> None:
    found, text = make(write_csv(tmp_path / "t.csv", wide(HEADERS[name])))
    (pooled,) = found.values()
    assert pooled == pytest.approx(pool_means())
    (comparison,) = yaml.safe_load(text)["comparisons"]
    assert comparison["measure"] == "MD"
    # Nothing says on which scale the trials measured.
    assert "# ? " in text


def test_a_german_table_with_decimal_commas_and_another_encoding(tmp_path: Path) -> None:
    rows = wide(HEADERS["de"], lambda x: str(x).replace(".", ","))
    path = tmp_path / "Übersicht 1.csv"
    text = "\r\n".join(";".join(map(str, row)) for row in rows).replace("Adams", "Müller")
    path.write_bytes(text.encode("cp1252"))
    found, text = make(path)
    assert [*found.values()] == [pytest.approx(pool_means())]
    arms = (tmp_path / "data/raw/trials/mine/arms.csv").read_text(encoding="utf-8")
    assert "Müller 2001" in arms
    assert "8.1" in arms
    assert "aus der Spalte" in text


@pytest.mark.parametrize(
    ("shape", "head"),
    [
        ("{m} ({s})", "Mean (SD)"),
        ("{m} ± {s}", "Mean ± SD"),
        ("{m} ({s})", "mean (standard deviation)"),
    ],
)
def test_a_mean_with_its_spread_in_one_cell(shape: str, head: str, tmp_path: Path) -> None:
    rows: list[list[object]] = [["Study", "Year", "N treatment", f"{head} treatment",
                                 "N control", f"{head} control"]]  # fmt: skip
    for study, year, t, c in MEANS:
        cells = [shape.format(m=a[1], s=a[2]) for a in (t, c)]
        rows.append([study, year, t[0], cells[0], c[0], cells[1]])
    found, _ = make(write_csv(tmp_path / "t.tsv", rows, "\t"))
    assert [*found.values()] == [pytest.approx(pool_means())]


def test_brackets_that_nobody_explains_are_refused_or_answered(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Study", "N treatment", "Mean treatment", "N control",
                                 "Mean control"]]  # fmt: skip
    rows += [[f"{s} {y}", t[0], f"{t[1]} ({t[2]})", c[0], f"{c[1]} ({c[2]})"]
             for s, y, t, c in MEANS]  # fmt: skip
    path = write_csv(tmp_path / "t.csv", rows)
    with pytest.raises(InputError) as raised:
        make(path)
    assert {p.rule for p in raised.value.problems} == {"bracket"}
    assert not (tmp_path / "data/raw/trials").exists()
    found, _ = make(path, answering("sd"))
    assert [*found.values()] == [pytest.approx(pool_means())]


def test_one_arm_a_row_in_a_workbook_with_a_title(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Days"
    sheet.append(["Headache days per 4 weeks, extracted by two reviewers"])
    sheet.append([])
    sheet.append(["Study", "Year", "Group", "n", "Mean", "SD", "Age"])
    for study, year, t, c in MEANS:
        # The name stands at the first arm alone.
        sheet.append([study, year, "Dry needling", *t, 40])
        sheet.append([None, None, "Waiting list", *c, 41])
    sheet.append(["Total", None, None, 184, None, None])
    notes = book.create_sheet("Notes")
    notes.append(["Searched in March"])
    notes.append(["By hand"])
    path = tmp_path / "trials.xlsx"
    book.save(path)
    found, text = make(path)
    assert [*found.values()] == [pytest.approx(pool_means())]
    document = yaml.safe_load(text)
    (outcome,) = document["outcomes"].values()
    assert outcome["unit"] == "days_per_28"
    # Unit, arms and measure are said by the table itself.
    assert "# ? " not in text, text
    arms = (tmp_path / "data/raw/trials/mine/arms.csv").read_text(encoding="utf-8")
    assert arms.count("dry_needling") == 3
    assert arms.count("waiting_list") == 3
    assert "Total" not in arms


def test_group_headings_above_the_columns(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["", "Treatment", "", "", "Control", "", ""])
    sheet.append(["Study", "n", "mean", "SD", "n", "mean", "SD"])
    for study, year, t, c in MEANS:
        sheet.append([f"{study} {year}", *t, *c])
    sheet.merge_cells("B1:D1")
    sheet.merge_cells("E1:G1")
    path = tmp_path / "t.xlsx"
    book.save(path)
    found, _ = make(path)
    assert [*found.values()] == [pytest.approx(pool_means())]


def test_several_outcomes_and_times_in_one_long_table(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["Study", "Arm", "Outcome", "Unit", "Follow-up (weeks)", "N", "Mean", "SD"]
    ]
    for study, year, t, c in MEANS:
        for arm, a in (("Acupuncture", t), ("Sham", c)):
            rows.append([f"{study} {year}", arm, "Headache days", "days per month", 12, *a])
            rows.append([f"{study} {year}", arm, "Headache days", "days per month", 52,
                         a[0], a[1] + 3, a[2]])  # fmt: skip
            rows.append([f"{study} {year}", arm, "Pain", "VAS 0-100", 12, a[0],
                         10 * a[1], 10 * a[2]])  # fmt: skip
    found, text = make(write_csv(tmp_path / "t.csv", rows))
    days, low, high = pool_means()
    assert found["headache_days"] == pytest.approx((days, low, high))
    assert found["pain"] == pytest.approx((10 * days, 10 * low, 10 * high))
    document = yaml.safe_load(text)
    assert document["outcomes"]["headache_days"]["unit"] == "days_per_month"
    assert document["outcomes"]["pain"]["unit"] == "vas_0_100"
    assert "# ? doubt: several times" in text


def test_outcomes_side_by_side(tmp_path: Path) -> None:
    header = ["Study", "N treatment", "N control"]
    for outcome in ("Pain NRS", "Headache days per month"):
        header += [f"{outcome} {x} {arm}" for arm in ("treatment", "control")
                   for x in ("mean", "SD")]  # fmt: skip
    rows: list[list[object]] = [[*header]]
    for study, year, t, c in MEANS:
        rows.append([f"{study} {year}", t[0], c[0], t[1] / 2, t[2] / 2, c[1] / 2, c[2] / 2,
                     t[1], t[2], c[1], c[2]])  # fmt: skip
    found, _ = make(write_csv(tmp_path / "t.csv", rows))
    estimates = sorted(x[0] for x in found.values())
    whole = pool_means()[0]
    assert estimates == pytest.approx(sorted([whole, whole / 2]))


@pytest.mark.parametrize(
    "header",
    [
        ["Study", "Events treatment", "Total treatment", "Events control", "Total control"],
        ["Studie", "Ereignisse IG", "n IG", "Ereignisse KG", "n KG"],
        ["Estudio", "Eventos tratamiento", "Total tratamiento", "Eventos placebo",
         "Total placebo"],
        ["Study", "Responders (verum)", "N (verum)", "Responders (placebo)", "N (placebo)"],
    ],
)  # fmt: skip
def test_counts_are_pooled_as_risk_ratios(header: list[str], tmp_path: Path) -> None:
    rows = [[f"{s} {y}", *t, *c] for s, y, t, c in COUNTS]
    found, text = make(write_csv(tmp_path / "t.csv", [header, *rows], ";"))
    assert [*found.values()] == [pytest.approx(pool_risks())]
    assert yaml.safe_load(text)["comparisons"][0]["measure"] == "RR"


def test_counts_in_one_cell_and_the_measure_of_the_title(tmp_path: Path) -> None:
    lines = ["Odds ratios of response", "Study,Treatment events/total,Control events/total"]
    lines += [f"{s} {y},{t[0]}/{t[1]},{c[0]}/{c[1]}" for s, y, t, c in COUNTS]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    found, text = make(path)
    assert yaml.safe_load(text)["comparisons"][0]["measure"] == "OR"
    yi = [math.log(a * (m - c) / (c * (n - a))) for _, _, (a, n), (c, m) in COUNTS]
    vi = [1 / a + 1 / (n - a) + 1 / c + 1 / (m - c) for _, _, (a, n), (c, m) in COUNTS]
    assert [*found.values()] == [pytest.approx(pool(yi, vi))]


EFFECTS = [(-1.9, -3.0, -0.8), (-0.7, -2.1, 0.7), (-1.2, -1.9, -0.5)]


def pool_effects(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    return pool(
        [r[0] for r in rows], [((r[2] - r[1]) / (2 * 1.959963984540054)) ** 2 for r in rows]
    )


@pytest.mark.parametrize(
    ("header", "shape"),
    [
        (["Study", "Mean difference (95% CI)"], "{} ({} to {})"),
        (["Studie", "MD [95%-KI]"], "{} [{}; {}]"),
        (["Estudio", "Diferencia de medias (IC 95%)"], "{} ({}; {})"),
        (["Study", "MD", "95% CI"], "{}|{} to {}"),
        (["Study", "MD", "Lower 95% CI", "Upper 95% CI"], "{}|{}|{}"),
        (["Author", "Effect", "CI low", "CI high"], "{}|{}|{}"),
    ],
)
def test_printed_differences(header: list[str], shape: str, tmp_path: Path) -> None:
    rows = [[f"T{i} 200{i}", *shape.format(*e).split("|")] for i, e in enumerate(EFFECTS)]
    found, text = make(write_csv(tmp_path / "t.csv", [header, *rows], "\t"))
    assert [*found.values()] == [pytest.approx(pool_effects(EFFECTS))]
    # Which way the differences were taken is for a person to say.
    assert "control_minus_treatment" in text
    assert "# ? " in text


def test_an_effect_outside_its_limits_is_no_ratio(tmp_path: Path) -> None:
    rows = [["A 2001", "-1.9", "0.5", "3"], ["B 2002", "1.2", "0.6", "2"]]
    path = write_csv(tmp_path / "t.csv", [["Author", "Effect", "CI low", "CI high"], *rows])
    made = make_review(path, "mine", tmp_path / "data", silent)
    assert [one.value["measure"] for one in made.review.comparisons] == ["MD"]


def test_printed_differences_taken_the_other_way(tmp_path: Path) -> None:
    rows = [[f"T{i} 200{i}", *e] for i, e in enumerate(EFFECTS)]
    path = write_csv(tmp_path / "t.csv", [["Study", "MD", "CI lower", "CI upper"], *rows])
    found, _ = make(path, answering("control_minus_treatment"))
    (pooled,) = found.values()
    estimate, low, high = pool_effects(EFFECTS)
    assert pooled == pytest.approx((-estimate, -high, -low))


def test_printed_ratios_are_pooled_on_the_log_scale(tmp_path: Path) -> None:
    ratios = [tuple(round(math.exp(x), 3) for x in e) for e in EFFECTS]
    rows = [[f"T{i} 200{i}", *e] for i, e in enumerate(ratios)]
    logs = [tuple(math.log(x) for x in e) for e in ratios]
    want = pool_effects(logs)  # type: ignore[arg-type]
    for name in ("OR", "Odds ratio", "Effect"):
        path = write_csv(
            tmp_path / name.replace(" ", "_") / "t.csv"
            if (tmp_path / name.replace(" ", "_")).mkdir() is None else tmp_path,
            [["Study", name, "95% CI lower", "95% CI upper"], *rows],
        )  # fmt: skip
        found, text = make(path)
        assert [*found.values()] == [pytest.approx(want)]
        assert yaml.safe_load(text)["comparisons"][0]["measure"] == "RATIO"


def test_a_standard_error_beside_a_ratio_is_in_doubt(tmp_path: Path) -> None:
    rows = [["Study", "OR", "SE"], ["A 2001", 0.5, 0.3], ["B 2002", 0.8, 0.2]]
    found, text = make(write_csv(tmp_path / "t.csv", rows))
    assert [*found.values()] == [
        pytest.approx(pool([math.log(0.5), math.log(0.8)], [0.3**2, 0.2**2]))
    ]
    assert "of the logarithms" in text


REFUSED = {
    "arms called 1 and 2": (
        [["Study", "n1", "mean1", "sd1", "n2", "mean2", "sd2"], ["A 2001", 9, 1, 2, 9, 2, 2]],
        "sides",
    ),
    "no control": (
        [["Study", "Arm", "n", "Mean", "SD"], ["A 2001", "Acupuncture", 9, 1, 2],
         ["A 2001", "Massage", 9, 2, 2]],
        "control_open",
    ),
    "limits of 90 %": ([["Study", "MD", "90% CI"], ["A 2001", 1, "0.5 to 1.5"]], "other_level"),
    "a share for a count": (
        [["Study", "Events treatment", "n treatment", "Events control", "n control"],
         ["A 2001", 33.3, 40, 12.5, 40]],
        "not_whole",
    ),
    "percentages of people": (
        [["Study", "Responders treatment (%)", "n treatment", "Responders control (%)",
          "n control"], ["A 2001", 30, 40, 15, 40]],
        "not_a_number",
    ),
    "words for a number": (
        [["Study", "n treatment", "mean treatment", "SD treatment", "n control", "mean control",
          "SD control"], ["A 2001", 9, "about 3", 2, 9, 2, 2]],
        "not_a_number",
    ),
    "one arm": ([["Study", "n", "mean", "SD"], ["A 2001", 9, 1, 2]], "no_arms"),
    "no trials": ([["Fruit", "Colour"], ["Apple", "red"]], "no_trials"),
    "no trial in a row": (
        [["Study", "MD", "95% CI"], ["A 2001", 1, "0.5 to 1.5"], ["", 2, "1 to 3"]],
        "no_trial",
    ),
    "no arm in a row": (
        [["Study", "Arm", "n", "Mean", "SD"], ["A 2001", "Acupuncture", 9, 1, 2],
         ["A 2001", "Control", 9, 1, 2], ["B 2002", "", 9, 2, 2]],
        "control_open",
    ),
    "two decimal signs": (
        [["Study", "n treatment", "mean treatment", "SD treatment", "n control", "mean control",
          "SD control"], ["A 2001", 9, "1,5", 2, 9, "2.5", 2]],
        "decimal_sign",
    ),
    "RevMan or metafor": (
        [["study", "n1i", "m1i", "sd1i", "n2i", "m2i", "sd2i"], ["A 2001", 9, 1, 2, 9, 2, 2]],
        "other_program",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_turn_a_number_is_refused_with_its_remedy(name: str, tmp_path: Path) -> None:
    rows, rule = REFUSED[name]
    path = write_csv(tmp_path / "t.csv", rows, ";")
    with pytest.raises(InputError) as raised:
        make(path)
    assert [p.rule for p in raised.value.problems][:1] == [rule]
    assert all(p.remedy for p in raised.value.problems)
    assert not (tmp_path / "data").exists()


def test_a_trial_with_two_kinds_of_control_is_compared_with_each(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Study", "Arm", "n", "Mean", "SD"]]
    for study, year, t, c in MEANS:
        rows.append([f"{study} {year}", "Vitamin C", *t])
        rows.append([f"{study} {year}", "Sham", *c])
        rows.append([f"{study} {year}", "Waiting list", c[0], c[1] + 1, c[2]])
    found, _ = make(write_csv(tmp_path / "t.csv", rows))
    estimate, low, high = pool_means()
    sham, waiting = (next(v for k, v in found.items() if k.endswith(e)) for e in ("sham", "list"))
    assert sham == pytest.approx((estimate, low, high))
    assert waiting == pytest.approx((estimate - 1, low - 1, high - 1))


def test_arms_called_1_and_2_are_asked_for(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "t.csv",
        [["Study", "n1", "mean1", "sd1", "n2", "mean2", "sd2"],
         *[[f"{s} {y}", *c, *t] for s, y, t, c in MEANS]],
    )  # fmt: skip
    found, _ = make(path, answering("2"))
    assert [*found.values()] == [pytest.approx(pool_means())]


def test_changes_whose_sign_nobody_knows_are_not_pooled(tmp_path: Path) -> None:
    header = [h if i == 0 else f"change {h}" for i, h in enumerate(HEADERS["en"])]
    path = write_csv(tmp_path / "t.csv", wide(header))
    found, text = make(path)
    assert all(math.isnan(x[0]) for x in found.values())
    assert "not pooled" in text
    other = tmp_path / "again"
    other.mkdir()
    found, _ = make(write_csv(other / "t.csv", wide(header)), answering("worse"))
    assert [*found.values()] == [pytest.approx(pool_means())]


def test_the_command_makes_checks_and_says_what_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "My trials.csv", wide(HEADERS["en"]))
    assert main(["new-review", "My trials.csv", "--yes"]) == 0
    said = capsys.readouterr()
    assert "data/raw/trials/my_trials" in said.out
    assert "arms.csv: 6 rows" in said.out
    assert "review.yaml marks" in said.out
    assert "my_trials is ready" in said.out
    assert main(["new-review", "My trials.csv"]) == 11  # nothing is written over
    assert main(["new-review", "gone.csv"]) == 12
    assert main(["new-review", "gone", "--name", "x"]) == 12
    assert main(["new-review", "plain"]) == 0  # without a file: the template
    assert (tmp_path / "data/raw/trials/plain/review.yaml").is_file()


@pytest.mark.parametrize(
    ("cell", "kind", "want"),
    [
        ("12.3 (4.5)", "spread", ("12.3", "4.5")),
        ("−12.3 ± 4", "spread", ("-12.3", "4")),
        ("1.2 to 3.4", "limits", ("1.2", "3.4")),
        ("[-1.2, 3.4]", "limits", ("-1.2", "3.4")),
        ("(-3.0; -0.8)", "limits", ("-3.0", "-0.8")),
        ("-3.0 - -0.8", "limits", ("-3.0", "-0.8")),
        ("1.2–3.4", "limits", ("1.2", "3.4")),
        ("12/40", "share", ("12", "40")),
        ("12/40 (30%)", "share", ("12", "40")),
        ("n.r.", "limits", ("", "")),
        ("twelve", "spread", None),
        ("3", "limits", None),
    ],
)
def test_cells_of_two_numbers(cell: str, kind: str, want: tuple[str, str] | None) -> None:
    assert read_two(cell, ".", kind) == want


def test_cells_of_three_numbers_and_decimal_signs() -> None:
    assert read_three("-1,9 (-3,0; -0,8)", ",") == ("-1.9", "-3.0", "-0.8")
    assert read_three("1.9 (1.2,3.1)", ".") == ("1.9", "1.2", "3.1")
    assert find_decimal(["1,5", "2"]) == ","
    assert find_decimal(["1.5", "1,204"]) == "."
    assert find_decimal(["1.204,5"]) == ","
    assert find_decimal(["1,204"]) is None
    assert find_decimal(["1,5", "1.5"]) is None


@pytest.mark.parametrize(
    ("name", "fields", "role"),
    [
        ("n (no treatment)", ("n",), "control"),
        ("Standard error, treatment group", ("se",), "treatment"),
        ("Participants (n)", ("n",), ""),
        ("Treatment", ("arm",), ""),
        ("Mean baseline control", ("mean",), "control"),
        ("RR (95% CI)", ("effect", "ci"), ""),
        ("Median (IQR) placebo", ("iqr", "median"), "control"),
    ],
)
def test_headers(name: str, fields: tuple[str, ...], role: str) -> None:
    head = read_head(0, name)
    assert (head.fields, head.role) == (fields, role)
