"""A new review needs no code: the template, three typed trials, and the page that comes of it."""

# ruff: noqa: E501  (rows of a table)
from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml

from headway import cli, config
from headway.config.review import Comparison
from headway.errors import ConfigError
from headway.ingest import template
from headway.reviews.analyse import OUTPUTS
from headway.reviews.specifications import include_by_risk
from headway.tables import TABLES, read_csv

ROOT = Path(__file__).resolve().parents[2]
ARMS = """\
Miller 2012,2012,tension-type headache,pressure,treatment,manual,,frequency,days_per_28,12 weeks,84,final,40,9.1,5.2
Miller 2012,2012,tension-type headache,care,control,,usual_care,frequency,days_per_28,12 weeks,84,final,41,12.0,5.6
Okafor 2016,2016,tension-type headache,pressure,treatment,manual,,frequency,days_per_month,3 months,91,final,25,8.0,5.9
Okafor 2016,2016,tension-type headache,care,control,,usual_care,frequency,days_per_month,3 months,91,final,24,10.4,6.1
Silva 2019,2019,tension-type headache,pressure,treatment,manual,,frequency,days_per_week,12 weeks,84,final,30,2.2,1.3
Silva 2019,2019,tension-type headache,care,control,,usual_care,frequency,days_per_week,12 weeks,84,final,30,3.1,1.4
"""
RISK = """\
Miller 2012,,randomisation,low,sealed envelopes,A. Example
Miller 2012,,overall,low,,A. Example
Okafor 2016,,randomisation,high,by weekday,A. Example
Okafor 2016,,overall,low,,A. Example
"""
FLOW = {
    "databases": 412,
    "duplicates": 102,
    "screened": 310,
    "excluded": 290,
    "sought": 20,
    "not_retrieved": 1,
    "assessed": 19,
    "excluded_reasons": {"no control arm": 10, "another treatment": 6},
    "studies": 3,
    "reports": 3,
    "source": "made for a test",
}
FINDING = {
    "comparison": "frequency",
    "meaningful": {"value": 2, "source": "made for a test"},
    "judgements": {
        name: {"levels": levels, "why": "w"}
        for name, levels in (
            ("risk_of_bias", -1),
            ("inconsistency", 0),
            ("indirectness", 0),
            ("imprecision", -1),
            ("publication_bias", 0),
        )
    },
    "certainty": "moderate",
    "signed_by": "A. Example",
}


def script(name: str) -> Any:
    path = ROOT / "workflow" / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Named(SimpleNamespace):
    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def keys(self) -> list[str]:
        return list(vars(self))


def fill(folder: Path) -> None:
    """Type three trials into the template's files, as a person would."""
    path = folder / "arms.csv"
    header = path.read_text().strip().split(",")
    typed = pd.DataFrame([row.split(",") for row in ARMS.splitlines()], columns=header[:15])
    typed = typed.reindex(columns=header).assign(status="retrieved", source="Table 2")
    typed.to_csv(path, index=False)
    with (folder / "risk_of_bias.csv").open("a") as stream:
        stream.write(RISK)
    document = yaml.safe_load((folder / "review.yaml").read_text())
    document["files"] = {
        "arms": {"path": "arms.csv"},
        "contrasts": document["files"]["contrasts"],
        "risk_of_bias": {"path": "risk_of_bias.csv"},
    }
    document |= {"flow": FLOW, "findings": [FINDING]}
    (folder / "review.yaml").write_text(yaml.safe_dump(document))


def run_scripts(folder: Path, out: Path) -> tuple[str, dict[str, pd.DataFrame]]:
    """Take a folder through the workflow's own scripts to its page."""
    out.mkdir()
    kept = ("arms", "contrasts", "published", "risk_of_bias", "ipd")
    processed = {name: str(out / f"{name}.csv") for name in kept}
    processed |= {name: str(out / f"{name}.json") for name in ("review", "status")}
    made = {name: str(out / f"{name}.csv") for name in (*OUTPUTS, "metafor", "revman")}
    made["r_script"] = str(out / "reproduce.R")
    raw = Named(folder=str(folder))
    page = {"page": str(out / "index.html"), "card": str(out / "card.json")}
    page["figures"] = str(out / "figures")
    script("ingest_review").main(SimpleNamespace(params=raw, output=Named(**processed)))
    script("analyse_review").main(SimpleNamespace(input=Named(**processed), output=Named(**made)))
    script("report_review").main(
        SimpleNamespace(input=Named(**processed, **made), output=Named(**page))
    )
    tables = {name: read_csv(name, out / f"{name}.csv") for name in OUTPUTS if name in TABLES}
    return (out / "index.html").read_text(), tables


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, pd.DataFrame]]:
    base = tmp_path_factory.mktemp("new")
    assert cli.main(["new-review", "my_review", "--data", str(base)]) == 0
    folder = base / "raw" / "trials" / "my_review"
    fill(folder)
    assert cli.main(["check", str(folder)]) == 0
    page, tables = run_scripts(folder, base / "out")
    return base, page, tables


def test_the_template_itself_keeps_to_its_schema_and_waits(tmp_path: Path) -> None:
    written = template.write_template(tmp_path / "fresh")
    assert {p.name for p in written} == {
        "review.yaml",
        "README.md",
        "arms.csv",
        "contrasts.csv",
        "risk_of_bias.csv",
    }
    assert config.load_review(tmp_path / "fresh").id == "fresh"
    assert cli.main(["check", str(tmp_path / "fresh")]) == 0
    page, tables = run_scripts(tmp_path / "fresh", tmp_path / "out")
    assert "Nobody has graded the certainty here" in page
    assert not len(tables["effects"])


def test_three_typed_trials_give_a_page(
    made: tuple[Path, str, dict[str, pd.DataFrame]],
) -> None:
    _, page, tables = made
    own = tables["pooled"][tables["pooled"]["declared"]]
    assert own["k"].tolist() == [3]
    # By hand: -2.9; -2.4 x 28 / 30.4375; -0.9 x 4 days per 28.
    assert sorted(tables["effects"]["yi"].round(4)) == [-3.6, -2.9, round(-2.4 * 28 / 30.4375, 4)]
    for words in (
        "Summary of findings",
        "⊕⊕⊕⊖ moderate, signed A. Example",
        "the levels add up to low, but the certainty says moderate",
        "Pooled but not judged: Silva 2019",
        "Okafor 2016: overall low risk, but a domain says high risk",
        "Flow of the search",
        "<caption>Flow of the search</caption>",
        "a funnel plot and tests for asymmetry need ten",
        "Without each trial in turn",
        "converted from headache days per week",
    ):
        assert words in page, words
    assert "Silva 2019 †" in page
    assert "Does not add up" not in page


def test_what_is_computed_for_judging_is_what_the_closed_forms_say(
    made: tuple[Path, str, dict[str, pd.DataFrame]],
) -> None:
    _, _, tables = made
    row = tables["findings"].iloc[0]
    pooled = tables["pooled"][tables["pooled"]["declared"]].iloc[0]
    assert (row["estimate"], row["ci_low"], row["k"]) == (
        pooled["estimate"],
        pooled["ci_low"],
        3,
    )
    used = tables["effects"]
    n, sd = used["n2"], used["sd2"]
    spread = float(((n * sd**2).sum() / n.sum()) ** 0.5)
    # 4 (1.95996 + 0.84162)^2 sd^2 / 2^2
    assert abs(row["information_size"] - 4 * 2.801585**2 * spread**2 / 4) < 1
    assert row["target"] == "important_benefit"
    assert "settings.few_trials" in row["settings"]


def comparing(outcome: str) -> Comparison:
    return Comparison(id="x", label="x", outcome=outcome, estimand="between_arm", measure="MD")


def test_trials_at_low_risk_alone_are_a_way_to_analyse() -> None:
    judged = pd.DataFrame(
        [
            ("A", None, "overall", "low"),
            ("A", "frequency", "overall", "high"),
            ("B", None, "overall", "low"),
            ("C", None, "overall", "high"),
            ("C", None, "reporting", "low"),
        ],
        columns=["trial", "outcome", "domain", "judgement"],
    )
    studies = ["A", "B: one v two", "C", "D"]
    found = include_by_risk(judged, comparing("frequency"), studies)
    # A's own judgement about the outcome comes first; nobody judged D.
    assert {name: list(mask) for name, mask in found.items()} == {
        "low_risk": [False, True, False, False],
        "not_high_risk": [False, True, False, True],
    }
    found = include_by_risk(judged, comparing("pain"), studies)
    assert list(found["low_risk"]) == [True, True, False, False]
    assert include_by_risk(judged.head(0), comparing("pain"), studies) == {}


def test_the_exports_hold_the_trials(made: tuple[Path, str, dict[str, pd.DataFrame]]) -> None:
    base, _, tables = made
    exported = pd.read_csv(base / "out" / "metafor.csv")
    assert exported["yi"].tolist() == pytest.approx(tables["effects"]["yi"].tolist(), rel=1e-14)
    assert "rma(" in (base / "out" / "reproduce.R").read_text()
    assert len(pd.read_csv(base / "out" / "revman.csv")) == 3
    assert json.loads((base / "out" / "card.json").read_text())["state"] == "ready"


@pytest.mark.parametrize("name", ["My Review", "../elsewhere", "", "a-b", "/tmp/x"])
@pytest.mark.parametrize("command", [["new-review"], ["import", "x.csv"]])
def test_a_name_that_is_no_folder_is_refused(tmp_path: Path, name: str, command: list[str]) -> None:
    more = ["--from", "revman"] if command[0] == "import" else []
    arguments = [*command, name, *more, "--data", str(tmp_path)]
    assert cli.main(arguments) == ConfigError.exit_code
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["new-review", "mine", "--data", str(tmp_path)]) == 0
    folder = tmp_path / "raw" / "trials" / "mine"
    (folder / "arms.csv").write_text("typed")
    assert cli.main(["new-review", "mine", "--data", str(tmp_path)]) == ConfigError.exit_code
    assert (folder / "arms.csv").read_text() == "typed"
    assert "nothing was written" in capsys.readouterr().err


def test_another_program_s_rows_become_a_review(
    made: tuple[Path, str, dict[str, pd.DataFrame]], tmp_path: Path
) -> None:
    base, _, tables = made
    given = ["--set", "comparator=usual_care", "--set", "technique=manual"]
    for program in ("metafor", "revman"):
        unit = ["--set", "unit=days_per_28"]
        command = ["import", str(base / "out" / f"{program}.csv"), f"from_{program}"]
        command += ["--from", program, "--data", str(tmp_path), *given, *unit]
        assert cli.main(command) == 0
        folder = tmp_path / "raw" / "trials" / f"from_{program}"
        assert cli.main(["check", str(folder)]) == 0
        _, found = run_scripts(folder, tmp_path / program)
        assert (
            found["effects"]["yi"].round(12).tolist() == tables["effects"]["yi"].round(12).tolist()
        )
