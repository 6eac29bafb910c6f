"""Networks of a review in words: what was compared, what came out, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.config.review import CINEMA_DOMAINS
from headway.effects.measures import MEASURES
from headway.figures.review.network import name_treatment
from headway.messages import capital, read, say, t, term
from headway.report import formats
from headway.report.review.sentences import name_null

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Network, Review
    from headway.figures.theme import Saved

TABLES = (
    "networks",
    "network_effects",
    "network_pairs",
    "network_ranks",
    "network_consistency",
    "network_contributions",
    "network_modifiers",
    "network_sensitivity",
)
# Treatments up to which all pairs stand in one square table, and are listed for judgement.
MOST_SQUARE, MOST_JUDGED = 12, 6
# Pairs up to which a page lists all; beyond it those that no trial compares stay in the CSV file.
MOST_LISTED = 300
# Below this p value direct and indirect evidence are said to differ.
ALPHA = 0.05
PRISMA = ("s1", "s2", "s3", "s4", "s5", 6, 13, 14, 16, 19, 20, 21, 22, 23)


def describe_networks(
    tables: Mapping[str, pd.DataFrame], drawn: Mapping[str, Saved], review: Review
) -> list[dict[str, Any]]:
    """Describe every network of a review for its page.

    Parameters
    ----------
    tables
        Those of `TABLES`; one that is absent counts as empty.
    drawn
        Saved figures by name.
    review
        review.yaml with its defaults.
    """
    out = []
    for network in review.networks:
        own = {
            name: tables[name][tables[name]["network"].eq(network.id)]
            for name in TABLES
            if name in tables
        }
        if "networks" in own and len(own["networks"]):
            out.append(_Described(network, review, own, drawn).describe())
    return out


class _Described:
    """One network on its way to the page."""

    def __init__(
        self,
        network: Network,
        review: Review,
        own: Mapping[str, pd.DataFrame],
        drawn: Mapping[str, Saved],
    ) -> None:
        self.network, self.review, self.own, self.drawn = network, review, own, drawn
        self.row: dict[str, Any] = own["networks"].iloc[0].to_dict()
        self.pairs: list[dict[str, Any]] = own["network_pairs"].to_dict("records")
        self.unit = formats.unit(network.measure, self.row["unit"])
        self.percent = f"{100 * float(self.row['level']):g}"

    def describe(self) -> dict[str, Any]:
        id, pooled = self.network.id, self.row["state"] == "pooled"
        out = {
            "id": id,
            "label": self.network.label,
            "note": self.network.note,
            "pooled": pooled,
            "compared": self._say_compared(),
            "trials": self._list_trials(),
            "figures": {
                name: self.drawn.get(f"network_{name}{id}")
                for name in ("", "forest_", "heat_", "funnel_")
            },
        }
        if not pooled:
            return out
        return out | {
            "sentences": [self._say_result()],
            "methods": " ".join(map(say, read(str(self.row["methods"])) or ())),
            "league": self._make_league(),
            "pairs": self._list_pairs(),
            "ranks": self._list_ranks(),
            "consistency": self._list_consistency(),
            "consistent": self._say_consistency(),
            "contributions": self._list_contributions(),
            "modifiers": self._list_modifiers(),
            "moderator": self._say_moderator(),
            "cinema": self._list_cinema(),
            "sensitivity": self._list_sensitivity(),
            "prisma": [
                (say(term("prisma_nma_item", f"n{n}")), say(term("prisma_nma_here", f"n{n}")))
                for n in PRISMA
            ],
        }

    # ---- numbers ---------------------------------------------------------------------------------

    def _value(self, value: Any) -> str:
        return formats.number(formats.scale(value, self.network.measure))

    def _interval(self, row: Mapping[str, Any], low: str, high: str) -> str:
        a, b = (formats.scale(row[c], self.network.measure) for c in (low, high))
        return formats.limits(a, b)

    def _estimate(self, row: Mapping[str, Any], name: str, start: str = "") -> str:
        if formats.missing(row[name]):
            return formats.MISSING
        limits = self._interval(row, f"{start or name}_low", f"{start or name}_high")
        return f"{self._value(row[name])} ({limits})"

    def _difference(self, row: Mapping[str, Any]) -> str:
        """Write direct less indirect; of ratios, how many times the one is the other."""
        return self._estimate(row, "side_difference")

    def _pair(self, row: Mapping[str, Any], one: str = "treatment", other: str = "base") -> str:
        names = {"one": name_treatment(row[one]), "other": name_treatment(row[other])}
        return t("network.versus", **names)

    # ---- sentences -------------------------------------------------------------------------------

    def _say_compared(self) -> list[str]:
        row, out = self.row, []
        if row["state"] == "pooled":
            direct = sum(pair["k_direct"] > 0 for pair in self.pairs)
            several = self.own["network_effects"]
            several = several[several["pooled"]].groupby("trial").size()
            people = ""
            if not formats.missing(row["people"]):
                people = t("network.with_people", people=formats.integer(row["people"]))
            places = {"n": int(row["trials"]), "treatments": int(row["treatments"])}
            told = t("network.compared", **places, people=people)
            if len(self.pairs) > 1:
                told += " " + t("network.compared_directly", direct=direct, pairs=len(self.pairs))
            out.append(told)
            if (several > 1).any():
                out.append(t("network.several_arms", n=int((several > 1).sum())))
        else:
            out.append(t("network.not_pooled"))
        if not formats.missing(row["parts"]):
            out.append(t("network.in_parts", parts=say(row["parts"])))
        if not formats.missing(row["note"]):
            out.append(f"{capital(say(row['note']))}.")
        return out

    def _say_result(self) -> str:
        null = MEASURES[self.network.measure].scale.null_yi
        own = [pair for pair in self.pairs if pair["base"] == self.row["reference"]]
        away = [pair for pair in own if pair["ci_low"] > null or pair["ci_high"] < null]
        values = [pair["estimate"] for pair in own]
        return t(
            "network.result",
            label=self.network.label,
            reference=name_treatment(self.row["reference"]),
            low=self._value(min(values)),
            high=self._value(max(values)),
            unit=self.unit,
            n=len(own),
            away=len(away),
            null=name_null(self.network.measure),
        )

    def _say_consistency(self) -> list[str]:
        found = self.own["network_consistency"].set_index("part")
        random, total = found.loc["inconsistency_random"], found.loc["total"]
        within, between = found.loc["heterogeneity"], found.loc["inconsistency"]
        out = [
            t(
                "network.heterogeneity",
                tau2=formats.number(self.row["tau2"], 3),
                i2=formats.number(self.row["i2"], 0),
            )
        ]
        if not total["df"] > 0:
            return [t("network.no_loops")]
        of = {
            name: t("network.chi2", q=formats.number(part["q"]), df=int(part["df"]),
                    p=formats.p_value(part["p_value"]))
            for name, part in (("total", total), ("within", within), ("between", between),
                               ("random", random))
        }  # fmt: skip
        if not random["df"] > 0:
            return [*out, t("network.q_total", total=of["total"]), t("network.no_loops")]
        out.append(t("network.q_parts", **of))
        out.append(t("network.global_test", test=of["random"],
                     tau2=formats.number(random["tau2"], 3)))  # fmt: skip
        both = [pair for pair in self.pairs if not formats.missing(pair["side_p_value"])]
        if both:
            apart = [self._pair(pair) for pair in both if pair["side_p_value"] < ALPHA]
            id = "network.sides_apart" if apart else "network.sides_none"
            expected = formats.number(ALPHA * len(both), 1)
            out.append(t(id, n=len(both), pairs=apart, expected=expected))
        return [*out, t("network.no_proof")]

    def _say_moderator(self) -> str:
        row = self.row
        if formats.missing(row["moderator"]) or formats.missing(row["slope"]):
            return ""
        scale = MEASURES[self.network.measure].scale
        id = "network.slope_ratio" if scale.code == "ratio" else "network.slope"
        return t(
            id,
            column=str(row["moderator"]),
            reference=name_treatment(row["reference"]),
            value=self._value(row["slope"]),
            limits=self._interval(row, "slope_low", "slope_high"),
            percent=self.percent,
            p=formats.p_value(row["slope_p_value"]),
            n=int(row["slope_trials"]),
        )

    # ---- tables ----------------------------------------------------------------------------------

    def _order(self) -> list[str]:
        """List treatments by rank where they have one, else the reference first."""
        ranks = self.own["network_ranks"]
        if ranks["p_score"].notna().all():
            return list(
                ranks.sort_values(["p_score", "treatment"], ascending=[False, True])["treatment"]
            )
        rest = sorted(name for name in ranks["treatment"] if name != self.row["reference"])
        return [self.row["reference"], *rest]

    def _find(self, one: str, other: str, name: str) -> str:
        """Write a pair's estimate, `one` against `other`."""
        for row in self.pairs:
            if (row["treatment"], row["base"]) == (one, other):
                return self._estimate(row, name, "ci" if name == "estimate" else "")
            if (row["treatment"], row["base"]) == (other, one):
                low, high = (
                    ("ci_low", "ci_high") if name == "estimate" else (f"{name}_low", f"{name}_high")
                )
                turned = {name: -row[name], f"{name}_low": -row[high], f"{name}_high": -row[low]}
                return self._estimate(turned, name)
        return formats.MISSING

    def _make_league(self) -> dict[str, Any] | None:
        order = self._order()
        if not 2 < len(order) <= MOST_SQUARE:
            return None
        rows = []
        for i, one in enumerate(order):
            cells = [name_treatment(one)]
            for j, other in enumerate(order):
                if i == j:
                    cells.append("")
                else:
                    cells.append(self._find(one, other, "estimate" if j < i else "direct"))
            rows.append({"kind": "", "cells": cells})
        return {
            "caption": t("network.league", percent=self.percent, unit=self.unit),
            "heads": ["", *map(name_treatment, order)],
            "rows": rows,
            "numeric": list(range(1, len(order) + 1)),
        }

    def _list_pairs(self) -> dict[str, Any]:
        heads = ("pair", "network_estimate", "prediction", "direct", "indirect", "share",
                 "trials", "difference", "p_difference")  # fmt: skip
        rows = [
            {
                "kind": "main" if r["base"] == self.row["reference"] else "",
                "cells": [
                    self._pair(r),
                    self._estimate(r, "estimate", "ci"),
                    self._interval(r, "pi_low", "pi_high"),
                    self._estimate(r, "direct"),
                    self._estimate(r, "indirect"),
                    formats.percent(100 * r["share_direct"]),
                    formats.integer(r["k_direct"]),
                    self._difference(r),
                    formats.p_value(r["side_p_value"]),
                ],
            }
            for r in self.pairs
            if len(self.pairs) <= MOST_LISTED
            or r["base"] == self.row["reference"]
            or r["k_direct"] > 0
        ]
        return {
            "left_out": len(self.pairs) - len(rows),
            "caption": t("network.pairs", percent=self.percent, unit=self.unit),
            "heads": [say(term("network_head", head)) for head in heads],
            "rows": rows,
            "numeric": list(range(1, 9)),
        }

    def _list_ranks(self) -> dict[str, Any]:
        ranks = self.own["network_ranks"].set_index("treatment")
        rows = []
        for name in self._order():
            r = ranks.loc[name]
            cells = [formats.number(r["p_score"]), formats.number(r["mean_rank"], 1)]
            cells += [formats.integer(r["trials"]), formats.integer(r["people"])]
            rows.append({"kind": "", "cells": [name_treatment(name), *cells]})
        heads = ("treatment", "p_score", "mean_rank", "trials", "people")
        return {
            "caption": t("network.ranking"),
            "heads": [say(term("network_head", head)) for head in heads],
            "rows": rows,
            "numeric": [1, 2, 3, 4],
        }

    def _list_consistency(self) -> dict[str, Any]:
        rows = []
        for r in self.own["network_consistency"].to_dict("records"):
            if not r["df"] > 0 and r["part"] in ("within", "detached"):
                continue
            design = ""
            if not formats.missing(r["design"]):
                design = " : ".join(map(name_treatment, str(r["design"]).split(" : ")))
            rows.append(
                {
                    "kind": "" if design else "main",
                    "cells": [
                        say(term("network_part", r["part"])) + (f": {design}" if design else ""),
                        formats.number(r["q"]),
                        formats.integer(r["df"]),
                        formats.p_value(r["p_value"]),
                    ],
                }
            )
        return {
            "caption": t("network.consistency"),
            "heads": [t("network.statistic"), "Q", t("network.df"), "p"],
            "rows": rows,
            "numeric": [1, 2, 3],
        }

    def _list_contributions(self) -> dict[str, Any]:
        """Make a row of each estimate, a column of each direct comparison."""
        own = self.own["network_contributions"]
        columns = list(dict.fromkeys(zip(own["direct_treatment"], own["direct_base"], strict=True)))
        held: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
        for r in own.to_dict("records"):
            key = (r["direct_treatment"], r["direct_base"])
            held.setdefault((r["treatment"], r["base"]), {})[key] = r["share"]
        rows = []
        for (one, other), shares in held.items():
            listed = sorted(shares.items(), key=lambda each: -each[1])
            texts = [
                f"{self._pair({'treatment': a, 'base': b})} {formats.percent(share)}"
                for (a, b), share in listed
                if share >= 1
            ]
            pair = self._pair({"treatment": one, "base": other})
            rows.append({"kind": "", "cells": [pair, "; ".join(texts)]})
        return {
            "caption": t("network.contributions", n=len(columns)),
            "heads": [say(term("network_head", "pair")), t("network.contributed")],
            "rows": rows,
            "numeric": [],
        }

    def _list_modifiers(self) -> dict[str, Any] | None:
        own = self.own["network_modifiers"]
        if not len(own):
            return None
        names = list(dict.fromkeys(own["modifier"]))
        by: dict[tuple[str, str], dict[str, str]] = {}
        count: dict[tuple[str, str], int] = {}
        for r in own.to_dict("records"):
            key = (r["treatment"], r["base"])
            count[key] = int(r["trials"])
            by.setdefault(key, {})[r["modifier"]] = self._say_modifier(r)
        rows = [
            {"kind": "", "cells": [self._pair({"treatment": a, "base": b}),
                                   formats.integer(count[a, b]), *(held[n] for n in names)]}
            for (a, b), held in by.items()
        ]  # fmt: skip
        return {
            "caption": t("network.modifiers"),
            "heads": [
                say(term("network_head", "pair")),
                say(term("network_head", "trials")),
                *(n.replace("_", " ") for n in names),
            ],
            "rows": rows,
            "numeric": [1],
        }

    def _say_modifier(self, r: Mapping[str, Any]) -> str:
        if not r["stated"] > 0:
            return t("network.not_stated")
        if formats.missing(r["mean"]):
            text = str(r["words"])
        else:
            low, high = formats.as_text(float(r["low"])), formats.as_text(float(r["high"]))
            mean = formats.as_text(float(f"{r['mean']:.4g}"))
            text = (
                mean if low == high else f"{mean} ({t('common.low_to_high', low=low, high=high)})"
            )
        if r["stated"] < r["trials"]:
            text += t("network.stated_by", n=int(r["stated"]), of=int(r["trials"]))
        return text

    def _list_cinema(self) -> dict[str, Any]:
        """List the domains of confidence, judged or still to be judged; never filled in."""
        typed = {frozenset((one.treatment, one.base)): one for one in self.network.cinema}
        chosen = [
            r
            for r in self.pairs
            if self.row["treatments"] <= MOST_JUDGED
            or r["base"] == self.row["reference"]
            or frozenset((r["treatment"], r["base"])) in typed
        ]
        known = {frozenset((r["treatment"], r["base"])) for r in self.pairs}
        nowhere = [one for pair, one in typed.items() if pair not in known]
        to_do, rows = t("network.to_be_judged"), []
        for r in [*chosen, *({"treatment": one.treatment, "base": one.base} for one in nowhere)]:
            one = typed.get(frozenset((r["treatment"], r["base"])))
            cells = [self._pair(r)]
            for domain in CINEMA_DOMAINS:
                held = one.domains.get(domain) if one else None
                cells.append(
                    f"{say(term('cinema', held.judgement))}: {held.why}" if held else to_do
                )
            sure = one.confidence if one else None
            cells.append(say(term("cinema", sure)) if sure else to_do)
            signed = one.signed_by if one else None
            cells.append(signed or (t("network.not_signed") if one else formats.MISSING))
            rows.append({"kind": "", "cells": cells})
        heads = [
            say(term("network_head", "pair")),
            *(say(term("cinema", domain)) for domain in CINEMA_DOMAINS),
        ]
        return {
            "caption": t("network.cinema"),
            "heads": [*heads, say(term("cinema", "confidence")), say(term("cinema", "signed_by"))],
            "rows": rows,
            "numeric": [],
            "nowhere": bool(nowhere),
        }

    def _list_sensitivity(self) -> dict[str, Any] | None:
        """Say of each treatment how far its estimate moves with the ways it is pooled."""
        own = self.own["network_sensitivity"]
        if not len(own):
            return None
        null = MEASURES[self.network.measure].scale.null_yi
        rows = []
        for name, part in own.groupby("treatment", sort=False):
            declared = part[part["declared"]]
            if not len(declared):
                continue
            single = part["left_out"].ne("none")
            cells = [self._pair({"treatment": name, "base": self.row["reference"]})]
            cells.append(self._estimate(declared.iloc[0].to_dict(), "estimate", "ci"))
            for ways in (part[~single & part["studies"].eq("all")], part[part["studies"].ne("all")],
                         part[single]):  # fmt: skip
                cells.append(self._say_range(ways))
            away = (part["ci_low"] > null) | (part["ci_high"] < null)
            cells.append(t("network.of", n=int(away.sum()), of=len(part)))
            rows.append({"kind": "", "cells": cells})
        heads = ("pair", "declared", "by_models", "by_risk", "by_trial")
        null_text = name_null(self.network.measure)
        return {
            "caption": t("network.sensitivity", n=int(own["specification"].nunique())),
            "heads": [
                *(say(term("network_head", h)) for h in heads),
                t("network.excludes", null=null_text),
            ],
            "rows": rows,
            "numeric": [1, 2, 3, 4, 5],
        }

    def _say_range(self, ways: pd.DataFrame) -> str:
        values = ways["estimate"].dropna()
        if not len(values):
            return formats.MISSING
        ends = (self._value(f(values)) for f in (np.min, np.max))
        return t("common.low_to_high", **dict(zip(("low", "high"), ends, strict=True)))

    def _list_trials(self) -> dict[str, Any]:
        rows = []
        for r in self.own["network_effects"].to_dict("records"):
            notes = [say(r[c]) for c in ("recovered", "note") if not formats.missing(r[c])]
            effect = formats.MISSING
            if not formats.missing(r["yi"]):
                effect = f"{self._value(r['yi'])} ({self._interval(r, 'ci_low', 'ci_high')})"
            pair = formats.MISSING if formats.missing(r["treatment"]) else self._pair(r)
            people = " v ".join(formats.integer(r[c]) for c in ("n1", "n2"))
            known = not (formats.missing(r["n1"]) and formats.missing(r["n2"]))
            why = t("network.in_it") if r["pooled"] else say(r["why_not"])
            rows.append(
                {
                    "kind": "" if r["pooled"] else "off",
                    "cells": [
                        r["trial"], pair, r["arms"], r["timepoint"],
                        people if known else formats.MISSING, effect,
                        say(term("status", r["status"])), why,
                        "; ".join([*notes, str(r["source"])]),
                    ],
                }
            )  # fmt: skip
        heads = (
            "trial",
            "pair",
            "arms",
            "time",
            "people",
            "effect",
            "status",
            "in_or_out",
            "remarks",
        )
        return {
            "caption": t("network.rows", label=self.network.label),
            "heads": [say(term("network_head", head)) for head in heads],
            "rows": rows,
            "numeric": [4, 5],
        }


def list_headlines(described: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the sentences of networks that are pooled."""
    return [sentence for one in described for sentence in one.get("sentences", ())]
