"""Write docs/where.md, the function behind each number: python tools/where_doc.py.

For each table the function that makes it, and for its columns and codes the function that computes
them where that is another one. A key that ends in `*` stands for all codes that begin like it.
"""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "where.md"
# Columns whose value says what a row's number is: its codes stand below beside the columns.
CODES = {
    "translated": "quantity",
    "cohort": "statistic",
    "expected": "source",
    "sensitivity": "id",
    "checks": "id",
    "safety": "statistic",
    "cost": "statistic",
    "dose": "statistic",
    "traps": "id",
    "control_chart": "chart",
}
_CHANGE, _CARE, _EXPECTATION = "outcomes.change", "outcomes.care", "outcomes.expectation"
_COHORT = f"{_CHANGE}.cohort.build_cohort"
_POOL = "meta.pooling.pool_batch"
_NETWORK = "meta.network"
_STATISTICS = (
    "estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "p_value", "tau2", "i2", "h2", "q",
    "q_df", "q_p_value",
)  # fmt: skip
_POOLED = dict.fromkeys(_STATISTICS, _POOL)
# Table -> {"": its maker, column or code: the function that computes it}.
MAKERS: dict[str, dict[str, str]] = {
    "arms": {
        "": "ingest.trials.canonical.make_arms",
        "mean": "ingest.trials.canonical.make_arms",
        "sd": "ingest.trials.canonical.make_arms",
    },
    "contrasts": {"": "ingest.trials.canonical.make_contrasts"},
    "published": {"": "ingest.trials.canonical.make_published"},
    "effects": {
        "": "reviews.effects_table.build_effects",
        "yi": "effects.measures.escalc",
        "vi": "effects.measures.escalc",
        "r": "effects.recover.find_r",
        "weight": "reviews.analyse.pool_review",
    },
    "pooled": {"": "reviews.analyse.pool_review", **_POOLED},
    "networks": {
        "": "reviews.networks.analyse.pool_networks",
        **dict.fromkeys(
            ("tau2", "se_tau2", "i2", "q", "q_df", "q_p_value"), f"{_NETWORK}.fit.pool_network"
        ),
        "slope*": f"{_NETWORK}.fit.pool_network",
    },
    "network_effects": {
        "": "reviews.networks.rows.list_trials",
        "yi": f"{_NETWORK}.data.read_arms",
        "vi": f"{_NETWORK}.data.read_arms",
    },
    "network_pairs": {
        "": f"{_NETWORK}.fit.pool_network",
        **dict.fromkeys(
            ("share_direct", "direct*", "indirect*"), f"{_NETWORK}.evidence.tabulate_evidence"
        ),
        "side_*": f"{_NETWORK}.inconsistency.split_sides",
    },
    "network_ranks": {"": f"{_NETWORK}.ranking.rank_treatments"},
    "network_consistency": {"": f"{_NETWORK}.inconsistency.check_consistency"},
    "network_contributions": {"": f"{_NETWORK}.evidence.find_contributions"},
    "network_modifiers": {"": "reviews.networks.modifiers.list_modifiers"},
    "network_sensitivity": {"": "reviews.networks.sensitivity.vary_network"},
    "multiverse": {
        "": "reviews.specifications.explore_review",
        **{c: f for c, f in _POOLED.items() if c in "estimate se ci_low ci_high p_value tau2 i2"},
    },
    "refits": {"": "reviews.checks.refit_review", **_POOLED},
    "small_studies": {
        "": "reviews.checks.check_small_studies",
        "egger": "meta.small_study.regression_test",
        "rank_correlation": "meta.small_study.rank_test",
        "trim_and_fill": "meta.trim_fill.trim_and_fill",
    },
    "moderators": {
        "": "reviews.moderators.regress_review",
        **dict.fromkeys(
            ("estimate", "se", "ci_low", "ci_high", "p_value", "qm", "tau2", "i2", "r2", "qe"),
            "reviews.moderator_fits.fit_moderators",
        ),
        "permutation_p": "meta.permutation.permutation_test",
    },
    "bubbles": {"": "reviews.moderators.regress_review"},
    "bayes": {
        "": "reviews.bayes.answer_bayes",
        **dict.fromkeys(
            ("mu_*", "tau_*", "new_*", "p_*", "factor_*"), "meta.bayes.posterior.pool_bayes"
        ),
        "tau_prior": "reviews.bayes.find_prior",
        "side": "reviews.bayes.find_side",
    },
    "bayes_trials": {"": "meta.bayes.posterior.pool_bayes"},
    "bayes_density": {"": "reviews.bayes.answer_bayes"},
    "findings": {
        "": "reviews.findings.summarise_findings",
        "information_size": "reviews.certainty.find_information_size",
    },
    "translated": {
        "": "reviews.translated.translate_review",
        "number_needed": "reviews.translated.find_number_needed",
        "risk_difference": "reviews.certainty.find_risk",
    },
    "support": {"": "reviews.support.support_review"},
    "reproduction": {
        "": "reviews.reproduce.judge_review",
        "verdict": "reviews.reproduce.judge_number",
    },
    "consistency": {"": "reviews.reproduce.check_consistency"},
    "library": {"": "reviews.library.judge_source", "recomputed": "meta.revman.total"},
    "library_files": {"": "reviews.library.judge_analyses"},
    "integrity": {"": "reviews.integrity.check_integrity"},
    "changes": {"": "reviews.update.compare_results"},
    "contributions": {"": "federation.pooling.build_registry"},
    "registry": {
        "": "federation.pooling.build_registry",
        **{c: f for c, f in _POOLED.items() if c not in ("p_value", "h2")},
        "phi": "outcomes.care.funnel.estimate_overdispersion",
        "funnel_tau2": "outcomes.care.funnel.estimate_overdispersion",
    },
    "registry_clinics": {
        "": "federation.pooling.build_registry",
        "se": "federation.summary.find_se",
        **dict.fromkeys(
            ("z*", "chance_*", "low_*", "high_*", "place"), "federation.funnel.find_limits"
        ),
    },
    "registry_case_mix": {
        "": "federation.pooling.build_registry",
        **dict.fromkeys(
            ("slope", "se", "ci_low", "ci_high", "p_value", "tau2", "r2"),
            "meta.regression.regress",
        ),
    },
    "flow": {"": f"{_CHANGE}.cohort.join_flow"},
    "cohort": {
        "": _COHORT,
        **dict.fromkeys(
            ("pre_*", "post_*", "change_*", "r", "smcc", "smcr", "smcrh", "romc"),
            f"{_CHANGE}.change.summarise_change",
        ),
        "change_mean_bca": f"{_CHANGE}.change.bca_interval",
        "n_for_precision": f"{_CHANGE}.change.summarise_change",
        "responders_*": f"{_CHANGE}.change.summarise_responders",
        "worsened_*": f"{_CHANGE}.change.summarise_responders",
        **dict.fromkeys(
            [
                f"{share}_of_started"
                for share in ("responders_30", "responders_50", "responders_75", "worsened_30")
            ],
            f"{_CHANGE}.change.repeat_of_started",
        ),
        "new_preventive": f"{_CHANGE}.cointerventions.count_new_preventives",
        "reliable_*": f"{_CHANGE}.reliable.summarise_individual",
        "bound_*": f"{_CHANGE}.missingness.bound_change",
        "completeness_*": f"{_CHANGE}.missingness.measure_completeness",
        "diary_minus_recall": f"{_CHANGE}.attrition.compare_sources",
        "hit6_*": f"{_CHANGE}.instruments.summarise_scores",
        "pgic_*": f"{_CHANGE}.instruments.summarise_pgic",
    },
    "individual": {"": f"{_CHANGE}.reliable.cross_tabulate"},
    "lost": {"": f"{_CHANGE}.attrition.compare_lost"},
    "window_means": {"": _COHORT},
    "change_histogram": {"": _COHORT},
    "change_lines": {"": _COHORT},
    "sensitivity": {
        "": f"{_EXPECTATION}.sensitivity.build_sensitivity",
        "complete_pairs": f"{_CHANGE}.change.t_interval",
        "baseline_carried_forward": f"{_EXPECTATION}.imputation.carry_forward",
        "bound_*": f"{_CHANGE}.missingness.bound_change",
        "multiple_imputation": f"{_EXPECTATION}.imputation.pool_change",
        "missing_information": f"{_EXPECTATION}.imputation.combine",
        "tipping_*": f"{_EXPECTATION}.imputation.tip",
        "gee_*": f"{_EXPECTATION}.longitudinal.fit_gee",
        "mixed_model": f"{_EXPECTATION}.longitudinal.fit_mixed",
        "clustered_by_therapist": f"{_EXPECTATION}.longitudinal.cluster_change",
    },
    "specifications": {"": f"{_EXPECTATION}.multiverse.build_specifications"},
    "expected": {
        "": f"{_EXPECTATION}.expected.build_expected",
        "change": f"{_EXPECTATION}.expected.build_expected",
        "both_windows_mu": f"{_EXPECTATION}.judge.expect_further",
        "both_windows_noise": f"{_EXPECTATION}.judge.expect_further",
        "both_windows": f"{_EXPECTATION}.judge.expect_less",
        "both_windows_high": f"{_EXPECTATION}.judge.expect_less",
        "earlier": f"{_EXPECTATION}.judge.expect_further",
        "mee_chua": f"{_EXPECTATION}.regression.mee_chua",
        "cutoff": f"{_EXPECTATION}.regression.regression_to_mean_cutoff",
        "arm": f"{_EXPECTATION}.judge.expect_arms",
    },
    "checks": {
        "": f"{_EXPECTATION}.checks.build_checks",
        "oldham": f"{_EXPECTATION}.checks.check_oldham",
        "baseline_trend": f"{_EXPECTATION}.checks.check_trend",
    },
    "benchmark": {
        "": f"{_EXPECTATION}.benchmark.build_benchmark",
        "difference": f"{_EXPECTATION}.benchmark.welch_difference",
        "romc": "effects.measures.escalc",
        "pi_low": _POOL,
        "pi_high": _POOL,
    },
    "traps": {
        "": f"{_EXPECTATION}.traps.build_traps",
        "zero_coded_missing": f"{_EXPECTATION}.traps.find_zero_coded",
        "unit_mix": f"{_EXPECTATION}.traps.find_unit_mix",
        "mnar_diary": f"{_EXPECTATION}.traps.find_chosen_days",
        "dropout_if_not_better": f"{_EXPECTATION}.traps.find_dropout",
    },
    "safety": {
        "": f"{_CARE}.safety.build_safety",
        "share*": f"{_CARE}.clustered.share",
        "median_days": f"{_CARE}.clustered.median",
        "zero_upper_*": f"{_CARE}.clustered.rule_of_three",
    },
    "cost": {
        "": f"{_CARE}.cost.build_cost",
        "median*": f"{_CARE}.clustered.order_median",
        "mean_total": f"{_CHANGE}.change.skewed_interval",
        "difference": f"{_CARE}.cost_per_day.less_expected",
        "days_a_year": f"{_CARE}.cost_per_day.cost_per_day",
        "per_day": f"{_CARE}.cost_per_day.cost_per_day",
        "plane_*": f"{_CARE}.cost_per_day.cost_per_day",
        "share_not_paid": f"{_CHANGE}.change.wilson",
    },
    "cost_plane": {"": f"{_CARE}.cost_per_day.count_cells"},
    "dose": {
        "": f"{_CARE}.dose.build_dose",
        "spearman": f"{_CARE}.dose.spearman_interval",
        "slope": f"{_CARE}.dose.robust_slope",
        "mean_*": f"{_CHANGE}.change.t_interval",
    },
    "relapse": {
        "": f"{_CARE}.durability.build_durability",
        "horizon_days": f"{_CARE}.durability.find_horizon",
        "free_*": f"{_CARE}.turnbull.estimate_free",
        "rmst_*": f"{_CARE}.turnbull.restrict_mean",
    },
    "relapse_curve": {"": f"{_CARE}.turnbull.fit_turnbull"},
    "control_chart": {
        "": f"{_CARE}.control_charts.build_control_charts",
        "change": f"{_CARE}.control_charts.chart_individuals",
        "responders": f"{_CARE}.control_charts.chart_shares",
        "lost": f"{_CARE}.control_charts.chart_shares",
        "signals": f"{_CARE}.control_charts.find_signals",
    },
    "funnel": {
        "": f"{_CARE}.funnel.build_funnel",
        "expected": f"{_CARE}.funnel.expect_change",
        "tau2": f"{_CARE}.funnel.estimate_overdispersion",
        "z": f"{_CARE}.funnel.judge_units",
    },
    "claims": {
        "": "outcomes.claims.table.build_claims",
        "verdict": "outcomes.claims.rules.judge",
        "p_adjusted": "outcomes.claims.rules.holm",
    },
}
HEAD = """\
# Which function made this number

Find the number's table (the file's name) and its column, or the code of its row in the column
named in brackets. Beside it is the function that computes it, with its module below `src/headway`.
Under presets that hide small numbers, `disclosure.rederive` recomputes some from what is printed.
`python tools/where_doc.py` writes this page; a test checks every function and every code against
the code and the demo.
"""


def find(table: str, name: str) -> str:
    """Name the function behind a column or a code of a table."""
    known = MAKERS[table]
    stems = sorted((k for k in known if k.endswith("*")), key=len, reverse=True)
    stem = next((k for k in stems if name.startswith(k[:-1])), "")
    return known.get(name) or known[stem]


def write() -> str:
    """Make the page."""
    out = [HEAD]
    for table, functions in MAKERS.items():
        code = f" (codes of `{CODES[table]}`)" if table in CODES else ""
        out.append(f"\n## {table}\n\n| number{code} | function |\n|---|---|\n")
        for name, function in functions.items():
            out.append(f"| {f'`{name}`' if name else 'all others'} | `{function}` |\n")
    return "".join(out)


if __name__ == "__main__":
    PAGE.write_text(write(), encoding="utf-8")
