"""What every function of the readers that takes one text says of texts stays what it was.

That it is right is held by other tests. `tests/golden/write_stored.py` writes the answers.
"""

from __future__ import annotations

import importlib
import inspect
import json
import lzma
import pkgutil
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from headway import ingest
from headway.ingest.adapters import units
from headway.ingest.proposals.grids import read_period
from tests.golden.test_stored import REMEDY, STORED
from tests.golden.test_stored_readings import FORMS, HEADINGS, NUMBERS, fill

# Headers, cells and remarks as people write them; none is anybody's.
TEXTS = Path(__file__).parent / "texts.txt"
LEFT_OUT = {"gate.vocabulary.read", "template.check_name"}  # these read files of the program


def list_functions() -> dict[str, Callable[[str], Any]]:
    """List the public functions of the readers that need one text."""
    found: dict[str, Callable[[str], Any]] = {
        "adapters.units._read": units._read,
        "proposals.grids.read_period 28": partial(read_period, days=28),
        "proposals.grids.read_period 7": partial(read_period, days=7),
    }
    start = f"{ingest.__name__}."
    for module in pkgutil.walk_packages(ingest.__path__, start):
        for name, value in vars(importlib.import_module(module.name)).items():
            own = inspect.unwrap(value) if callable(value) else value
            if name.startswith("_") or not inspect.isfunction(own):
                continue
            needed = [p for p in inspect.signature(own).parameters.values() if p.default is p.empty]
            if own.__module__ == module.name and [p.annotation for p in needed] == ["str"]:
                found[f"{module.name.removeprefix(start)}.{name}"] = value
    return {name: function for name, function in found.items() if name not in LEFT_OUT}


def list_texts() -> list[str]:
    draw = random.Random(20261201)
    made = [fill(form, draw) for form in (*FORMS, *NUMBERS) for _ in range(3)]
    typed = TEXTS.read_text(encoding="utf-8").splitlines()
    return ["", *typed, *HEADINGS, *made]


def say(function: Callable[[str], Any], text: str) -> str:
    try:
        found = function(text)
    except Exception as error:
        return type(error).__name__
    return repr(sorted(found) if isinstance(found, set | frozenset) else found)


def ask_all() -> dict[str, dict[str, str]]:
    """Ask every function about every text; what most texts get is said once, as `else`."""
    out = {}
    for name, function in list_functions().items():
        told = {text: say(function, text) for text in list_texts()}
        answers = list(told.values())
        most = max(sorted(set(answers)), key=answers.count)
        out[name] = {"else": most} | {t: a for t, a in told.items() if a != most}
    return out


def test_every_text_gets_the_answer_that_it_did() -> None:
    kept = json.loads(lzma.decompress((STORED / "words.json.xz").read_bytes()))
    found = ask_all()
    assert set(found) == set(kept), REMEDY
    for name, told in kept.items():
        assert found[name] == told, f"{name}: {REMEDY}"
