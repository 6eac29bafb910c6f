"""The page of a registry, its figures, and the two commands."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.cli import main
from headway.federation.pooling import Registry, build_registry
from headway.messages import LANGUAGES, missed, speaking
from headway.report import formats
from headway.report import registry as report
from headway.tables import TABLES, read_csv, validate
from tests.unit.registry_builder import offer, seal, state, summarise, write

HOSTILE = '<script>alert(1)</script>=cmd()|"x"\u202egnp'


def build(
    folder: Path, summaries: list[dict[str, Any]], language: str = "en"
) -> tuple[Registry, str]:
    registry = build_registry(offer(folder, summaries))
    with speaking(language):
        saved = report.theme.save(report.draw(registry), folder / "figures")
        return registry, report.build(registry, saved)


def several(k: int = 12) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    mix = [{("age", None): 40.0 + i % 7, ("sex", "female"): 70.0 + i % 5} for i in range(k)]
    return [
        state(f"c{i:02d}", float(rng.normal(-2, 1)), n=int(rng.integers(30, 200)), mix=mix[i])
        for i in range(k)
    ]


def read(page: str) -> str:
    return re.sub(
        r"\s+", " ", re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", page, flags=re.S)
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_claims_nothing_that_records_cannot_carry(language: str, tmp_path: Path) -> None:
    missed.clear()
    _, page = build(tmp_path, [*several(), summarise("x", 1, "opensafely")], language)
    assert f'<html lang="{language}">' in page
    assert formats.find_forbidden(read(page), language) == []
    typed = {"before", "after", "c00", "x"}  # the clinics' own words
    assert {text for code, text in missed if code == language} <= typed | {"Clinic x"}
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_the_numbers_of_the_page_are_those_of_the_table(tmp_path: Path) -> None:
    registry, page = build(tmp_path, several())
    main_row, clinics = report.find_primary(registry)
    assert main_row is not None
    text = read(page)
    value = f"{abs(main_row['estimate']):.2f}"
    assert f"The pooled mean change is −{value} headache days per 28 days" in text
    assert f"−{abs(main_row['pi_low']):.2f} to" in text
    assert "is a change, not an effect of treatment" in text and "regression to the mean" in text
    assert "No clinic rounded or withheld a number" in text
    people = f"{int(clinics['n'].sum()):,}".replace(",", " ")
    assert f"known for {people} of" in text


def test_clinics_stand_in_the_order_of_their_names_whatever_their_change(tmp_path: Path) -> None:
    made = [state("zebra", -9.0), state("alpha", 4.0), state("middle", -2.0), state("beta", -20.0)]
    for one in made:
        one["clinic"]["title"] = one["clinic"]["id"]
    registry, page = build(tmp_path, [seal(one) for one in made])
    order = ["alpha", "beta", "middle", "zebra"]
    assert registry.clinics["clinic"].tolist() == order
    assert re.findall(r'<th scope="row">(\w+)</th>', page)[:8] == order * 2
    alt = report.draw(registry)["forest"].alt
    assert [alt.index(name) for name in order] == sorted(alt.index(name) for name in order)
    assert "rank" not in read(page).replace("this is no ranking", "")


def test_losses_by_disclosure_control_are_said(tmp_path: Path) -> None:
    made = [summarise(f"c{i}", i, "opensafely" if i else "public", n=30) for i in range(4)]
    registry, page = build(tmp_path, made)
    withheld = int(registry.contributions["withheld"].sum())
    assert withheld > 0
    told = f"rounded the numbers of 3 clinics. Numbers withheld in all: {withheld}."
    assert told in read(page) and "could lie anywhere from" in read(page)


def test_a_clinic_outside_is_a_question(tmp_path: Path) -> None:
    made = [state(f"c{i:02d}", -2.0 + 0.02 * i, n=100) for i in range(20)]
    registry, page = build(tmp_path, [*made, state("far", 4.0, n=100)])
    text = read(page)
    assert "far (outside the 99.8 % limits)" in text
    assert "is a question, not a verdict" in text
    assert "far: outside the 99.8 % limits" in report.draw(registry)["funnel"].alt


def test_a_characteristic_of_few_clinics_has_no_slope_and_it_is_said(tmp_path: Path) -> None:
    _, page = build(tmp_path / "few", several(9))
    assert "No characteristic is known for 10 clinics" in read(page)
    _, page = build(tmp_path / "ten", several(10))
    assert "Meta-regression of the mean change on one characteristic at a time" in read(page)


def test_hostile_titles_stay_text(tmp_path: Path) -> None:
    made = several(4)
    for one in made:
        one["clinic"] |= {"title": HOSTILE, "condition": HOSTILE}
    made[0]["outcomes"][0]["label"] = HOSTILE
    registry, page = build(tmp_path, [seal(one) for one in made])
    assert "<script" not in page.lower() and "\u202e" not in page
    for path in (tmp_path / "figures").glob("*.svg"):
        assert "<script" not in path.read_text(encoding="utf-8").lower()
    assert registry.clinics["title"].eq(HOSTILE).all()


# ---- the commands --------------------------------------------------------------------------------


def digest(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_federate_writes_page_tables_figures_and_provenance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, out = tmp_path / "in", tmp_path / "results"
    write(files, several(5))
    assert main(["federate", str(files), "--results", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "The pooled mean change is" in printed
    assert printed.rstrip().endswith(str(out / "registry" / "index.html"))
    for name in ("contributions", "registry", "registry_clinics", "registry_case_mix"):
        table = read_csv(name, out / "registry" / f"{name}.csv")
        validate(name, table)
        assert all(c.disclosure.kind == "published" for c in TABLES[name].columns.values())
    record = json.loads((out / "registry" / "provenance.json").read_text(encoding="utf-8"))
    assert record["inputs"]["c00.json"] == digest(files)["c00.json"]
    before = digest(out)
    assert "registry/figures/funnel.svg" in before and "registry/figures/forest.png" in before
    assert main(["federate", str(files), "--results", str(out)]) == 0
    assert digest(out) == before, "two runs are the same, byte for byte"
    # A registry of two clinics has no funnel, and keeps none of an earlier one.
    for name in ("c02", "c03", "c04"):
        (files / f"{name}.json").unlink()
    assert main(["federate", str(files), "--results", str(out)]) == 0
    assert not (out / "registry" / "figures" / "funnel.svg").exists()


def test_one_bad_file_ends_in_13_and_the_others_are_pooled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, out = tmp_path / "in", tmp_path / "results"
    write(files, several(3))
    (files / "bad.json").write_text("{", encoding="utf-8")
    assert main(["federate", str(files), "--results", str(out)]) == 13
    assert "bad.json: this is not a whole JSON document" in capsys.readouterr().err
    said = read_csv("contributions", out / "registry" / "contributions.csv").set_index("file")
    assert said["state"].to_dict() == {
        "bad.json": "refused",
        **{f"c{i:02d}.json": "pooled" for i in range(3)},
    }
    page = (out / "registry" / "index.html").read_text(encoding="utf-8")
    assert "bad.json: this is not a whole JSON document" in page


def test_nothing_usable_ends_in_12_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    out = tmp_path / "results"
    assert main(["federate", str(tmp_path), "--results", str(out)]) == 12
    assert not out.exists()


def test_other_definitions_end_in_13_and_write_nothing_until_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, files, out = several(4), tmp_path / "in", tmp_path / "results"
    made[3]["definitions"]["headache_day"]["min_duration_h"] = 4.0
    write(files, [*made[:3], seal(made[3])])
    command = ["federate", str(files), "--results", str(out)]
    assert main(command) == 13 and not out.exists()
    told = capsys.readouterr().err
    assert (
        "c03.json" in told
        and "`headache_day.min_duration_h` is 4.0 here, 0.5 in clinic c00" in told
    )
    assert main([*command, "--definitions-of", "c03"]) == 13
    said = read_csv("contributions", out / "registry" / "contributions.csv").set_index("clinic")
    assert said["state"].to_dict() == {
        **{f"c{i:02d}": "refused" for i in range(3)},
        "c03": "not_pooled",
    }
