"""The page of a registry: clinics beside each other, in the order of their names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.federation.funnel import FEW, LEAST
from headway.federation.hashes import hash_program
from headway.federation.pooling import (
    CLINICS_PER_COVARIATE,
    FEWEST_PEOPLE,
    LEVEL,
    METHOD,
    TEST,
)
from headway.federation.summary import MANY_DAYS
from headway.figures import registry as figures
from headway.figures import theme
from headway.messages import MISSING, capital, current, say, t, term
from headway.outcomes.care.funnel import WINSORISE
from headway.outcomes.change.cohort import name_characteristic
from headway.outcomes.change.instruments import name_outcome
from headway.report import formats
from headway.report.drawings import share_letters
from headway.report.provenance import hash_file
from headway.report.render import render
from headway.report.review.sentences import TESTS
from headway.tables import replacing_folder, write_csv, write_text
from headway.version import describe

if TYPE_CHECKING:
    import pandas as pd

    from headway.federation.pooling import Registry
    from headway.federation.reading import Offered
    from headway.figures.theme import Drawing, Saved

Row = Mapping[str, Any]
PAGE, FIGURES = "index.html", "figures"


def find_primary(registry: Registry) -> tuple[Row | None, pd.DataFrame]:
    """Find the row of the primary change, and those of its clinics."""
    rows = registry.pooled
    main = rows[rows["primary"] & rows["measure"].eq("MC")].to_dict("records")
    if not main:
        return None, registry.clinics.iloc[:0]
    one, own = main[0], registry.clinics
    same = own["outcome"].eq(one["outcome"]) & own["comparison"].eq(one["comparison"])
    return one, own[same]


def draw(registry: Registry) -> dict[str, Drawing]:
    """Draw the forest and, of three clinics or more, the funnel of the primary change."""
    main, clinics = find_primary(registry)
    if main is None:
        return {}
    title = f"{capital(_name(main['outcome']))}: {say(main['comparison_label'])}"
    stamp = _stamp(registry)
    drawn = figures.draw_forest(clinics, main, title, stamp=stamp)
    out = {f"forest_{i}" if i > 1 else "forest": one for i, one in enumerate(drawn, start=1)}
    if not formats.missing(main["target"]):
        out["funnel"] = figures.draw_funnel(clinics, main, title, stamp=stamp)
    return out


def build(registry: Registry, saved: Sequence[Saved], *, home: str = "") -> str:
    """Write the page, in the language in use.

    Parameters
    ----------
    registry
        `headway.federation.pooling.build_registry`.
    saved
        What `draw` drew, saved.
    home
        Link to the index of all results; empty where there is none.
    """
    main, clinics = find_primary(registry)
    drawn, letters = share_letters(saved)
    said = registry.contributions
    refused = said[said["state"].eq("refused")].to_dict("records")
    return render(
        "registry.html",
        language=current(),
        title=t("registry.title"),
        home=home,
        stamp=_say_stamp(registry),
        letters=letters,
        figures=drawn,
        sentences=write_sentences(registry),
        who=_say_who(said),
        contributions=_tabulate_contributions(said),
        refused=[f"{r['file']}: {say(r['why'])}" for r in refused],
        clinics=_tabulate_clinics(clinics, main),
        heterogeneity=_say_heterogeneity(main),
        pooled=_tabulate_pooled(registry.pooled),
        funnel=_say_funnel(main, clinics),
        mix_sentences=_say_mix(registry.case_mix, main),
        mix=_tabulate_mix(registry.case_mix),
        methods=[
            t("registry.method_stages", few=FEWEST_PEOPLE),
            t("registry.method_pooling", test=t(TESTS[TEST])),
            t("registry.method_funnel"),
            t("registry.method_disclosure"),
            t("registry.method_hashes"),
        ],
    )


def write(
    registry: Registry, offered: Sequence[Offered], paths: Mapping[str, Path], folder: Path
) -> Path:
    """Write page, tables, figures and provenance of a registry, whole; returns the page.

    Parameters
    ----------
    registry, offered
        What was pooled, and what was offered.
    paths
        File of each name that `offered` tells.
    folder
        The registry's own, in the folder of results.
    """
    home = "../index.html" if (folder.parent / "index.html").is_file() else ""
    with replacing_folder(folder) as part:
        saved = theme.save(draw(registry), part / FIGURES)
        for name, frame in registry.tables().items():
            write_csv(frame, part / f"{name}.csv")
        write_text(build(registry, saved, home=home), part / PAGE)
        record = json.dumps(_collect(offered, paths), indent=1, sort_keys=True)
        write_text(record + "\n", part / "provenance.json")
    theme.remove_others(folder / FIGURES, {one.id for one in saved})
    return folder / PAGE


def _collect(offered: Sequence[Offered], paths: Mapping[str, Path]) -> dict[str, Any]:
    """Collect what the registry stands on; no date, so that two runs are the same."""
    return {
        "headway": describe(),
        "program": hash_program(),
        "settings": {
            "method": METHOD,
            "test": TEST,
            "level": LEVEL,
            "fewest_people": FEWEST_PEOPLE,
            "clinics_per_covariate": CLINICS_PER_COVARIATE,
            "winsorised": WINSORISE,
        },
        "digests": "SHA-256",
        "inputs": {one.file: hash_file(paths[one.file]) for one in offered},
        "pooled": sorted(one.name for one in offered if one.usable),
    }


# ---- sentences -----------------------------------------------------------------------------------


def write_sentences(registry: Registry) -> list[str]:
    """Write what the page says first."""
    main, clinics = find_primary(registry)
    said = registry.contributions
    if main is None:
        return [t("registry.nothing")]
    unit = say(term("unit", main["unit"]))
    used = clinics[clinics["pooled"]]
    out = [
        t(
            "registry.headline",
            n=int(main["k"]),
            of=int((said["state"] != "refused").sum()),
            outcome=_name(main["outcome"]),
            windows=say(main["comparison_label"]),
        )
    ]
    if formats.missing(main["estimate"]):
        out.append(t("registry.not_pooled_why", why=say(main["note"])))
    else:
        three = [main[c] for c in ("estimate", "ci_low", "ci_high")]
        out.append(
            t(
                "registry.people",
                people=formats.integer(main["n"]),
                started=formats.integer(main["of"]),
            )
        )
        out.append(
            t(
                "registry.change",
                value=formats.number(main["estimate"], 2, three),
                unit=unit,
                test=t(TESTS[TEST]),
                **formats.ends(main["ci_low"], main["ci_high"], 2, three),
            )
        )
        out.append(_say_next(main, unit))
    out.append(t("registry.uncontrolled"))
    out += _say_before(registry.pooled, main, unit)
    out += _say_shares(used)
    out.append(_say_loss(main, said, unit))
    return out


def _say_next(main: Row, unit: str) -> str:
    if formats.missing(main["pi_low"]):
        return t("registry.no_prediction")
    ends = formats.ends(main["pi_low"], main["pi_high"])
    text = t("registry.prediction", unit=unit, **ends)
    return text if main["tau2"] > 0 else f"{text} {t('registry.no_differences')}"


def _say_heterogeneity(main: Row | None) -> str:
    if main is None or formats.missing(main["estimate"]):
        return ""
    return t(
        "registry.heterogeneity",
        tau=formats.number(main["tau2"] ** 0.5),
        unit=say(term("unit", main["unit"])),
        i2=formats.percent(main["i2"]),
        q=formats.number(main["q"]),
        df=formats.integer(main["q_df"]),
        p=formats.p_value(main["q_p_value"]),
    )


def _say_before(pooled: pd.DataFrame, main: Row, unit: str) -> list[str]:
    """Say how the outcome moved before anybody was treated, where clinics recorded it."""
    rows = pooled[
        pooled["comparison"].eq("before_treatment")
        & pooled["outcome"].eq(main["outcome"])
        & pooled["measure"].eq("MC")
        & pooled["estimate"].notna()
    ].to_dict("records")
    if not rows or main["comparison"] == "before_treatment":
        return []
    three = [rows[0][c] for c in ("estimate", "ci_low", "ci_high")]
    places = {
        "n": int(rows[0]["k"]),
        "value": formats.number(three[0], 2, three),
        **formats.ends(three[1], three[2], 2, three),
    }
    return [t("registry.before_treatment", unit=unit, **places)]


def _say_shares(used: pd.DataFrame) -> list[str]:
    """Say how many people improved and how many got worse, over the clinics that print both."""
    out = []
    for column, id, none in (
        ("responders_50", "registry.responders_50", "registry.no_responders_50"),
        ("worsened_30", "registry.worsened_30", "registry.no_worsened_30"),
    ):
        known = used[used[column].notna() & used["n"].notna()]
        if len(known):
            out.append(
                t(
                    id,
                    count=formats.integer(known[column].sum()),
                    people=formats.integer(known["n"].sum()),
                    n=len(known),
                    of=len(used),
                )
            )
        elif len(used):
            out.append(t(none))
    return out


def _say_loss(main: Row, said: pd.DataFrame, unit: str) -> str:
    """Say what rounding and hiding at the clinics can do to the pooled change."""
    own = said[said["state"] != "refused"]
    rounded = own[own["rounded_to"] > 1]
    withheld = int(own["withheld"].sum())
    if not len(rounded) and not withheld:
        return t("registry.no_loss")
    parts = [t("registry.loss", n=len(rounded), withheld=withheld)]
    if not formats.missing(main["loss_low"]):
        three = [main[c] for c in ("loss_low", "estimate", "loss_high")]
        parts.append(
            t(
                "registry.loss_range",
                unit=unit,
                half=formats.number(main["half_unit"], 2),
                **formats.ends(main["loss_low"], main["loss_high"], 2, three),
            )
        )
    return " ".join(parts)


def _say_who(said: pd.DataFrame) -> list[str]:
    own = said[said["state"] != "refused"]
    out = [
        t(
            "registry.contributed",
            n=len(own),
            pooled=int((own["state"] == "pooled").sum()),
            refused=int((said["state"] == "refused").sum()),
        )
    ]
    if own["program"].nunique() > 1:
        out.append(t("registry.versions_differ", n=int(own["program"].nunique())))
    return out


def _say_funnel(main: Row | None, clinics: pd.DataFrame) -> list[str]:
    if main is None or formats.missing(main["target"]):
        return [t("registry.no_funnel", least=LEAST)]
    used = clinics[clinics["pooled"]]
    out = [t("registry.question")]
    outside = [
        t("registry.who_is", who=row["clinic"], place=say(term("funnel_place", row["place"])))
        for row in used.to_dict("records")
        if row["place"] != "inside"
    ]
    out.append(
        t("registry.outside", n=len(outside), names="; ".join(outside))
        if outside
        else t("registry.none_outside")
    )
    out.append(
        t(
            "registry.dispersion",
            phi=formats.number(main["phi"]),
            tau=formats.number(main["funnel_tau2"] ** 0.5),
            unit=say(term("unit", main["unit"])),
            p=formats.p_value(main["dispersion_p_value"]),
        )
    )
    if len(used) < FEW:
        out.append(t("registry.few_in_funnel", least=FEW))
    return out


def _say_mix(mix: pd.DataFrame, main: Row | None) -> list[str]:
    if main is None or not len(mix):
        return [t("registry.no_mix")]
    fitted = mix[mix["slope"].notna()]
    if not len(fitted):
        return [t("registry.mix_too_few", least=CLINICS_PER_COVARIATE)]
    out = [t("registry.mix", n=len(fitted), least=CLINICS_PER_COVARIATE)]
    if f"{main['outcome']}_before" in set(fitted["characteristic"]):
        out.append(t("registry.mix_coupled"))
    return out


# ---- tables --------------------------------------------------------------------------------------


def _tabulate_contributions(said: pd.DataFrame) -> dict[str, Any]:
    rows = said.sort_values(["clinic", "file"], na_position="last", kind="stable")
    return {
        "caption": t("registry.contributions"),
        "heads": [
            t("registry.clinic"),
            t("registry.state"),
            t("registry.people_of"),
            t("registry.years"),
            t("registry.rules"),
            t("registry.withheld"),
            t("registry.program"),
        ],
        "rows": [
            {
                "kind": "" if r["state"] == "pooled" else "off",
                "cells": [
                    _name_clinic(r) if isinstance(r["clinic"], str) else r["file"],
                    _join_why(say(term("contribution", r["state"])), r["why"])
                    if r["state"] != "refused"
                    else say(term("contribution", r["state"])),
                    _people(r["n"], r["of"]),
                    _years(r["period_from"], r["period_to"]),
                    r["preset"] if isinstance(r["preset"], str) else MISSING,
                    formats.integer(r["withheld"]),
                    r["headway"] if isinstance(r["headway"], str) else MISSING,
                ],
            }
            for r in rows.to_dict("records")
        ],
        "numeric": [5],
    }


def _name_clinic(r: Row) -> str:
    return r["clinic"] if r["title"] == r["clinic"] else f"{r['clinic']}: {r['title']}"


def _join_why(state: str, why: Any) -> str:
    return f"{state}: {say(why)}" if isinstance(why, str) else state


def _people(n: Any, of: Any) -> str:
    return t("registry.n_of", people=formats.integer(n), started=formats.integer(of))


def _years(low: Any, high: Any) -> str:
    if formats.missing(low):
        return MISSING
    return f"{low:.0f}" if low == high else f"{low:.0f}–{high:.0f}"


def _tabulate_clinics(clinics: pd.DataFrame, main: Row | None) -> dict[str, Any]:
    unit = "" if main is None else say(term("unit", main["unit"]))
    return {
        "caption": t("registry.clinics_caption", unit=unit),
        "heads": [
            t("registry.clinic"),
            t("registry.people_of"),
            t("registry.before"),
            t("registry.after"),
            t("registry.mean_change"),
            t("registry.sd_change"),
            t("registry.fell_50"),
            t("registry.rose_30"),
            t("registry.limits_998"),
        ],
        "rows": [
            {
                "kind": "" if r["pooled"] else "off",
                "cells": [
                    _name_clinic(r),
                    _people(r["n"], r["of"]),
                    *(
                        formats.number(r[c], 1)
                        for c in ("mean_before", "mean_after", "mean_change", "sd_change")
                    ),
                    *(formats.integer(r[c]) for c in ("responders_50", "worsened_30")),
                    formats.limits(r["low_998"], r["high_998"], 1),
                ],
            }
            for r in clinics.to_dict("records")
        ],
        "numeric": [2, 3, 4, 5, 6, 7],
        "note": t("registry.hidden_here"),
    }


def _tabulate_pooled(pooled: pd.DataFrame) -> dict[str, Any] | None:
    pair = ["outcome", "comparison"]
    rows = pooled[pooled["measure"].eq("MC") & (pooled["k"] > 0)]
    if not len(rows):
        return None
    standardised = {
        tuple(r[c] for c in pair): r
        for r in pooled[pooled["measure"].eq("SMCR")].to_dict("records")
    }
    return {
        "caption": t("registry.pooled_caption"),
        "heads": [
            t("registry.outcome"),
            t("registry.windows"),
            t("registry.clinics_people"),
            t("registry.change_ci"),
            t("registry.next_clinic"),
            "I²",
            t("registry.standardised"),
        ],
        "rows": [
            {
                "kind": "main" if r["primary"] else "",
                "cells": [
                    f"{capital(_name(r['outcome']))}, {say(term('unit', r['unit']))}",
                    say(r["comparison_label"]),
                    t("registry.k_n", k=int(r["k"]), people=formats.integer(r["n"])),
                    _write_estimate(r),
                    formats.limits(r["pi_low"], r["pi_high"]),
                    formats.percent(r["i2"]),
                    _write_standardised(standardised[tuple(r[c] for c in pair)]),
                ],
            }
            for r in rows.to_dict("records")
        ],
        "numeric": [5],
    }


def _write_standardised(r: Row) -> str:
    return MISSING if formats.missing(r["estimate"]) else _write_estimate(r)


def _write_estimate(r: Row) -> str:
    if formats.missing(r["estimate"]):
        return say(r["note"])
    three = [r[c] for c in ("estimate", "ci_low", "ci_high")]
    ends = formats.limits(r["ci_low"], r["ci_high"], 2, three)
    return f"{formats.number(r['estimate'], 2, three)} ({ends})"


def _tabulate_mix(mix: pd.DataFrame) -> dict[str, Any]:
    return {
        "caption": t("registry.mix_caption"),
        "heads": [
            t("registry.characteristic"),
            t("registry.clinics"),
            t("registry.range"),
            t("registry.slope_ci"),
            "p",
            "R²",
        ],
        "rows": [
            {
                "kind": "",
                "cells": [
                    _name_covariate(r["characteristic"], r["level"]),
                    formats.integer(r["k"]),
                    formats.limits(r["lowest"], r["highest"], 1),
                    say(r["note"])
                    if formats.missing(r["slope"])
                    else f"{formats.number(r['slope'], 3)} "
                    f"({formats.limits(r['ci_low'], r['ci_high'], 3)})",
                    formats.p_value(r["p_value"]),
                    formats.percent(r["r2"]),
                ],
            }
            for r in mix.to_dict("records")
        ],
        "numeric": [1],
    }


def _name_covariate(characteristic: str, level: Any) -> str:
    if characteristic == MANY_DAYS:
        return t("registry.days_15_or_more")
    name = capital(say(name_characteristic(characteristic)))
    if not isinstance(level, str):
        return name
    known = term("technique", level) if characteristic == "technique" else term("sex", level)
    return t("registry.share_of", characteristic=name, level=say(known))


def _name(outcome: Any) -> str:
    return say(name_outcome(outcome))


def _stamp(registry: Registry) -> str:
    """Stamp a registry that holds a clinic nobody was treated in."""
    said = registry.contributions
    made_up = said["state"].ne("refused") & said["synthetic"].astype(bool)
    return "SYNTHETIC" if made_up.any() else ""


def _say_stamp(registry: Registry) -> str:
    said = registry.contributions[registry.contributions["state"].ne("refused")]
    n = int(said["synthetic"].astype(bool).sum())
    return t("registry.synthetic", n=n, of=len(said)) if n else ""
