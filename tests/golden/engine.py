"""What the engine offers, and what holds each part of it: a section of answers inside, or a test.

`list_parts` goes through the registries of the engine, so that a measure, an estimator, a test or a
model that is new has no holder until one is written down here; test_engine_is_held.py fails then.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass

from headway import meta
from headway.effects.measures import MEASURES
from headway.meta.pooling import TESTS
from tests.golden.ledger import INSIDE, read_answers

# Functions whose answers of R travel with the repository, by module, and the section.
SECTIONS = {
    "headway.meta": {
        "random_effects": "pool confint_tau2 leave_one_out cumulate influence baujat shrink "
        "standardise_residuals gosh permutation_test",
        "bias": "regression_test rank_test pet peese henmi_copas excess_significance "
        "trim_and_fill select_by_steps",
        "meta_regression": "regress build_design",
        "subgroups": "subgroups",
        "multilevel": "fit_multilevel robust_inference share_control",
        "mh_peto": "mantel_haenszel peto",
    },
    "headway.meta.network": {"networks": "pool_network read_arms"},
    "headway.effects": {
        "escalc (5.1)": "escalc hedges_j measure_controlled_change measure_correlation "
        "measure_mean measure_paired_means measure_person_time measure_proportion "
        "measure_reliability measure_two_by_two measure_two_group_means",
    },
    "headway.effects.records": {
        "ipd (5.1)": "describe_summaries describe_records rank_biserial find_noncentrality"
    },
    "headway.outcomes.expectation.regression": {"people": "regression_to_mean_cutoff mee_chua"},
    "headway.outcomes.change.reliable": {"people": "test_retest"},
}
# Tests that hold the other functions of a module, by papers, closed forms, simulation or R.
TESTED = {
    "headway.meta": {
        "tests/unit/test_dose_response.py": "dose_response greenland_longnecker spread_dose",
        "tests/unit/test_multiverse.py": "explore_multiverse find_outliers",
        "tests/unit/test_multilevel.py": "impute_covariance share_control_smd",
        "tests/unit/test_small_study.py": "pet_peese",
        "tests/golden/test_recover_oracle.py": "se_from_ci",
    },
    "headway.meta.network": {"tests/unit/test_network.py": "*"},
    "headway.meta.bayes": {"tests/unit/test_bayes.py": "*"},
    "headway.effects.recover": {
        "tests/golden/test_recover_oracle.py": "mean_from_five mean_from_quartiles mean_from_range "
        "sd_from_five sd_from_iqr sd_from_range se_of_difference",
        "tests/unit/test_recover.py": "*",
    },
    "headway.meta.revman": {"tests/golden/test_revman.py": "total count_rows mean_rows"},
    "headway.outcomes.expectation.longitudinal": {
        "tests/golden/test_sensitivity_golden.py": "fit_gee fit_mixed"
    },
    "headway.outcomes.expectation.imputation": {
        "tests/golden/test_sensitivity_golden.py": "combine impute_change"
    },
    "headway.outcomes.care.turnbull": {
        "tests/golden/test_live_survival.py": "fit_turnbull estimate_free restrict_mean"
    },
    "headway.reviews.ipd": {"tests/golden/test_clinic_inside.py": "ancova"},
}
# Modules every public function of which must be held; of the others, those that are named.
WHOLE = (
    "headway.meta",
    "headway.meta.network",
    "headway.meta.bayes",
    "headway.effects",
    "headway.effects.records",
    "headway.effects.recover",
)
# Codes of registries that R's answers inside do not hold.
CODES = {
    "measure CLES": "tests/unit/test_effect_families.py",
    "measure RATIO": "tests/unit/test_ratios.py",
    "tau2 GENQ": "tests/unit/test_meta_pooling.py",
    "test kr": "tests/unit/test_meta_deeper.py",
}


@dataclass(frozen=True)
class Part:
    """A part of the engine: what it is, its name there, and what holds it (sections, a test)."""

    kind: str
    name: str
    holders: tuple[str, ...]


def list_functions(module: str) -> list[str]:
    """Name the public functions of a module: those of `__all__`, or those it defines."""
    found = importlib.import_module(module)
    names = getattr(found, "__all__", None)
    if names is None:
        names = [n for n, f in vars(found).items() if getattr(f, "__module__", "") == module]
    return sorted(
        n for n in names if not n.startswith("_") and inspect.isfunction(getattr(found, n))
    )


def find_holders(module: str, name: str) -> tuple[str, ...]:
    """Return what holds a function; nothing if nothing is known to."""
    for section, names in SECTIONS.get(module, {}).items():
        if name in names.split():
            return (f"inside: {section}",)
    for file, names in TESTED.get(module, {}).items():
        if names == "*" or name in names.split():
            return (file,)
    return ()


def list_parts() -> Iterator[Part]:
    """Yield every measure, estimator of tau2, test and function of the engine."""
    old, new = (read_answers(INSIDE, f) for f in ("oracle.json", "oracle_metafor_5.1.json"))
    effects = {"escalc": old["escalc"], "escalc (5.1)": new["escalc"]}
    for measure in MEASURES:
        holders = [
            f"inside: {section}"
            for section, sets in effects.items()
            if any(key.split(":")[0] == measure for keys in sets.values() for key in keys)
        ]
        yield Part("measure", measure, tuple(holders) or _of_code(f"measure {measure}"))
    models = [entry["models"] for entry in old["random_effects"].values()]
    for method in meta.METHODS:
        held = all(method in own for own in models)
        own = ("inside: random_effects",) if held else _of_code(f"tau2 {method}")
        yield Part("tau2", method, own)
    for test in TESTS:
        held = all(test in model for own in models for model in own.values())
        own = ("inside: random_effects",) if held else _of_code(f"test {test}")
        yield Part("test", test, own)
    for module in sorted({*SECTIONS, *TESTED, *WHOLE}):
        named = " ".join([*SECTIONS.get(module, {}).values(), *TESTED.get(module, {}).values()])
        for name in list_functions(module):
            if module in WHOLE or name in named.split():
                yield Part(module, name, find_holders(module, name))


def _of_code(code: str) -> tuple[str, ...]:
    return (CODES[code],) if code in CODES else ()


def write_table() -> str:
    """Return the table of README.md, as Markdown."""
    rows: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for part in list_parts():
        rows.setdefault((part.kind, part.holders), []).append(part.name)
    lines = ["| part | names | held by |", "|---|---|---|"]
    for (kind, holders), names in rows.items():
        listed = " ".join(f"`{name}`" for name in names)
        lines.append(f"| {kind} | {listed} | {', '.join(holders)} |")
    return "\n".join(lines)
