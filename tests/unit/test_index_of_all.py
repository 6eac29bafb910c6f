"""The index lists every page that stands in the results, also when one source alone was built."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest


def write_card(folder: Path, kind: str, name: str) -> str:
    page = f"{kind}/{name}/{'audit' if kind == 'clinics' else 'index'}.html"
    card = {"kind": kind, "name": name, "title": f"The {name}", "state": "ready", "page": page}
    card |= {"brief": "", "stamp": "", "problems": [], "verdicts": "", "headline": ["Said."]}
    path = folder / "processed" / kind / name / "card.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(card), encoding="utf-8")
    return path.as_posix()


def test_what_an_earlier_run_built_stays_in_the_index(
    repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo_root)
    main = runpy.run_path(str(repo_root / "workflow" / "scripts" / "index.py"))["main"]
    results = tmp_path / "results"
    (results / "notebooks").mkdir(parents=True)
    (results / "notebooks" / "audit_a_clinic.html").write_text("<p>x</p>", encoding="utf-8")
    cards = {
        n: write_card(tmp_path, k, n)
        for k, n in (("clinics", "own"), ("clinics", "another"), ("trials", "review"))
    }
    inputs = {"clinics": [cards["own"]], "trials": [], "environment": []}
    standing = {"clinics": [cards["another"]], "trials": [cards["review"]]}
    params = {
        "standing": standing,
        "files": [],
        "data_dir": str(tmp_path),
        "config": {},
        "skipped": [],
        "refused": [],
        "unread": [],
        "registry": True,
    }

    class Inputs(SimpleNamespace):
        def __getitem__(self, kind: str) -> list[str]:
            return getattr(self, kind)  # type: ignore[no-any-return]

    main(
        SimpleNamespace(
            input=Inputs(**inputs),
            params=SimpleNamespace(**params),
            output=SimpleNamespace(
                page=str(results / "index.html"),
                provenance=str(results / "provenance.json"),
                crate=str(results / "ro-crate-metadata.json"),
                workflow=str(results / "workflow"),
            ),
            scriptdir=str(repo_root / "workflow" / "scripts"),
        )
    )
    page = (results / "index.html").read_text(encoding="utf-8")
    assert 'href="registry/index.html"' in page
    for name in cards:
        assert f"The {name}" in page
    assert 'href="notebooks/audit_a_clinic.html"' in page
    crate = json.loads((results / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    held = {entity["@id"]: entity for entity in crate["@graph"]}
    assert held["clinics/another/"]["name"] == "The another"
    for name in ("Snakefile", "workflow/rules/clinics.smk", "workflow/scripts/index.py"):
        assert "File" in held[f"workflow/{name}"]["@type"]
        assert (results / "workflow" / name).read_bytes() == (repo_root / name).read_bytes()
    assert page.index("The another") < page.index("The own")  # by name, whoever was built last
