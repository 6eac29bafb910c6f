"""Networks of treatments: rma.mv of metafor, and what papers print of one.

The answers to made-up networks are stored inside the repository (write_golden.py); those of R's
metadat are asked of R where it is here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.meta import network as nma
from tests.golden.ledger import INSIDE, Ledger, read_answers

SCRIPT = Path(__file__).with_name("live_network.R")
NETWORKS = [
    "hasselblad1998",
    "pagliaro1992",
    "senn2013",
    "woods2010",
    "dong2013",
    "dogliotti2014",
    "gurusamy2011",
    "baker2009",
    "franchini2012",
    "stowe2010",
    "linde2015",
]


MADE_UP = ["network_means", "network_events", "network_rare"]


@pytest.fixture
def answer(name: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what R says of a network."""
    if name in MADE_UP:
        return read_answers(INSIDE, "networks.json")[name]
    return request.getfixturevalue("answers")[name]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if shutil.which("Rscript") is None:
        if os.environ.get("CI"):
            pytest.fail("R with metafor, metadat and jsonlite must be there in CI")
        pytest.skip("SKIPPED LOUDLY: R is not here")
    out = tmp_path_factory.mktemp("live") / "answers.json"
    command = ["Rscript", "--vanilla", str(SCRIPT), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "there is no package" in done.stderr and not os.environ.get("CI"):
        pytest.skip("SKIPPED LOUDLY: R's metafor, metadat or jsonlite is not here")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert list(found) == NETWORKS
    return found


def read(answer: dict[str, Any]) -> nma.Network:
    """Read a network from the arms that R used."""
    arms = answer["arms"]
    numbers = {
        name: [arm[name] for arm in arms]
        for name in ("n", "mean", "sd", "events")
        if name in arms[0]
    }
    trials, treatments = [arm["study"] for arm in arms], [arm["treatment"] for arm in arms]
    return nma.read_arms(answer["measure"], trials, treatments, **numbers)


@pytest.mark.parametrize("name", MADE_UP + NETWORKS)
def test_contrasts_and_their_covariances_are_those_made_in_r(answer: dict[str, Any]) -> None:
    network = read(answer)
    assert list(network.treatments) == answer["treatments"]
    assert [network.treatments[i] for i in network.treatment] == answer["treatment"]
    assert [network.treatments[i] for i in network.base] == answer["base"]
    assert network.y == pytest.approx(answer["y"], rel=1e-12, abs=1e-12)
    assert network.v == pytest.approx(np.array(answer["V"]), rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("method", ["REML", "ML", "EE"])
@pytest.mark.parametrize("name", MADE_UP + NETWORKS)
def test_pooled_as_rma_mv_pools_them(method: str, answer: dict[str, Any]) -> None:
    right = answer["fits"][method]
    first = answer["treatments"][0]
    fit = nma.pool_network(read(answer), method=method, test="z", reference=first)
    assert fit.tau2 == pytest.approx(right["tau2"], rel=1e-9, abs=1e-12)
    assert fit.estimate[1:, 0] == pytest.approx(right["estimate"], rel=1e-8, abs=1e-10)
    assert fit.se[1:, 0] == pytest.approx(right["se"], rel=1e-8)
    assert (fit.q, fit.q_df) == (pytest.approx(right["q"], rel=1e-9), right["df"])
    if method != "EE":
        assert fit.log_likelihood == pytest.approx(right["height"], abs=1e-8)


@pytest.mark.parametrize("name", MADE_UP + NETWORKS)
def test_any_base_any_reference_and_pairs_give_the_same(answer: dict[str, Any]) -> None:
    """Every pair of a trial's arms, in any direction, instead of contrasts against a base."""
    network = read(answer)
    rows = []
    rng = np.random.default_rng(5)
    for number, arms in enumerate(network.list_arms()):
        own = network.trial == number
        x, y = network.design[own], network.y[own]
        for one in arms:
            for other in arms:
                if one < other:
                    pick = np.zeros(len(network.treatments))
                    pick[one], pick[other] = 1, -1
                    a = np.linalg.lstsq(x.T, pick, rcond=None)[0]
                    v = a @ network.v[np.ix_(own, own)] @ a
                    names = network.treatments[one], network.treatments[other]
                    flip = rng.random() < 0.5
                    value = -(a @ y) if flip else a @ y
                    rows.append((value, v, number, *(names[::-1] if flip else names)))
    rng.shuffle(rows)
    again = nma.read_pairs(*zip(*rows, strict=True))
    for method in ("REML", "DL", "PM"):
        one = nma.pool_network(network, method=method, test="z")
        other = nma.pool_network(again, method=method, test="z", reference=network.treatments[-1])
        assert other.tau2 == pytest.approx(one.tau2, rel=1e-7, abs=1e-10)
        off = ~np.eye(len(network.treatments), dtype=bool)
        assert other.estimate[off] == pytest.approx(one.estimate[off], rel=1e-7, abs=1e-8)
        assert other.se[off] == pytest.approx(one.se[off], rel=1e-7)
    one, other = nma.check_consistency(network), nma.check_consistency(again)
    for part in ("total", "heterogeneity", "inconsistency", "random"):
        assert getattr(other, part).q == pytest.approx(getattr(one, part).q, rel=1e-7, abs=1e-8)


def test_every_stored_number_of_the_made_up_networks_is_reproduced() -> None:
    section = read_answers(INSIDE, "networks.json")
    ledger = Ledger("networks", section, INSIDE)
    assert list(section) == MADE_UP
    ledger.exclude(".* / arms / .*", "input of the analysis")
    for name, answer in section.items():
        network = read(answer)
        size = np.sqrt(np.diag(network.v))
        ledger.compare("contrast", (name, "y"), network.y, rtol=1e-11, scale=size)
        spread = np.outer(size, size)
        ledger.compare("covariance", (name, "V"), network.v, rtol=1e-11, scale=spread)
        for method in answer["fits"]:
            at = (name, "fits", method)
            fit = nma.pool_network(
                network, method=method, test="z", reference=answer["treatments"][0]
            )
            se = fit.se[1:, 0]
            ours = fit.estimate[1:, 0]
            ledger.compare("estimate", (*at, "estimate"), ours, rtol=1e-8, scale=se)
            ledger.compare("se", (*at, "se"), se, rtol=1e-8)
            floor = 1e-3 * float(np.median(np.diag(network.v)))
            ledger.compare("tau2", (*at, "tau2"), fit.tau2, rtol=1e-7, floor=floor)
            ledger.compare("Q", (*at, "q"), fit.q, rtol=1e-9)
            ledger.compare("df", (*at, "df"), fit.q_df)
            if method == "EE":
                ledger.exclude(f"{name} / fits / EE / height", "no likelihood of a common effect")
            else:
                ledger.compare("likelihood", (*at, "height"), fit.log_likelihood, atol=1e-8)
    ledger.close()


def test_the_diabetes_network_as_it_was_published(answers: dict[str, Any]) -> None:
    """Data of Senn et al. (2013): Q of Krahn et al. (2013), P-scores of Rücker et al. (2015)."""
    network = read(answers["senn2013"])
    parts = nma.check_consistency(network)
    # The paper rounded its standard errors, which moves Q in the second decimal.
    assert parts.total.q == pytest.approx(96.99, abs=0.02)
    assert (parts.total.df, parts.heterogeneity.df, parts.inconsistency.df) == (18, 11, 7)
    assert parts.heterogeneity.q == pytest.approx(74.46, abs=0.02)
    assert parts.inconsistency.q == pytest.approx(22.53, abs=0.02)
    random = nma.pool_network(network, method="DL", test="z")
    assert np.sqrt(random.tau2) == pytest.approx(0.3297, abs=5e-5)
    ranks = nma.rank_treatments(random, "lower").set_index("treatment")["p_score"]
    published = {
        "rosiglitazone": 0.8934,
        "metformin": 0.7818,
        "pioglitazone": 0.7746,
        "miglitol": 0.6137,
        "acarbose": 0.5203,
        "benfluorex": 0.4358,
        "vildagliptin": 0.4232,
        "sitagliptin": 0.3331,
        "sulfonylurea": 0.2103,
        "placebo": 0.0139,
    }
    assert ranks.to_dict() == pytest.approx(published, abs=1e-4)
