"""The adversary on harms, cost, relapse, charts, therapists, claims and the other later tables.

It knows the definitions of the tables as docs/tables.md prints them, and nothing of the ledger:
which numbers are sums, parts or repetitions of others, that a mean of all with the lost at no
change is the mean of the others times a ratio of two counts, that a share times its denominator is
a count, that the limits of Wilson's interval, of a p chart and of a t interval give n back.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import norm

if TYPE_CHECKING:
    from tests.unit.disclosure_attack import Attack

    Tables = Mapping[str, pd.DataFrame]

Z = float(norm.ppf(0.975))


def read(a: Attack, released: Tables, true: Tables) -> None:
    """Read every table that `disclosure_attack` does not."""
    main: tuple[str, str] | None = None
    if "cohort" in true:
        rows = true["cohort"][true["cohort"]["primary"]]
        if len(rows):
            main = (str(rows["outcome"].iloc[0]), str(rows["comparison"].iloc[0]))
            _headache_days(a)
    for name, function in READERS.items():
        if name in released and len(true[name]):
            function(a, released[name], true[name], main)
    for name in SHARES:
        if name in released:
            _shares(a, released[name], true[name])


def pairs(released: pd.DataFrame, true: pd.DataFrame) -> list[tuple[dict[str, Any], ...]]:
    """Rows as they are printed, each beside its truth."""
    return list(zip(released.to_dict("records"), true.to_dict("records"), strict=True))


def whole(main: tuple[str, str] | None) -> Hashable:
    """People of the primary change."""
    return ("n", *main, "all") if main else "nobody"


def _headache_days(a: Attack) -> None:
    """Means over headache days leave out who has none."""
    for name in list(a.truth):
        if isinstance(name, tuple) and name[0] == "n" and name[1] in ("intensity", "duration"):
            a.add_up(("n", "frequency", *name[2:]), [name], more=True)


def invert_wilson(low: float, high: float, most: int = 400) -> list[tuple[int, int]]:
    """Find every count and number of people whose Wilson interval (in percent) has these limits."""
    n = np.arange(1, most + 1)[:, None]
    x = np.arange(0, most + 1)[None, :]
    p = x / n
    with np.errstate(invalid="ignore"):
        middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
        half = Z / (1 + Z**2 / n) * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
        near = (np.abs(100 * (middle - half) - low) < 1e-6) & (x <= n)
        near &= np.abs(100 * (middle + half) - high) < 1e-6
    return [(int(x[0, j]), int(n[i, 0])) for i, j in zip(*np.nonzero(near), strict=True)]


def _shares(a: Attack, released: pd.DataFrame, true: pd.DataFrame) -> None:
    """Turn printed percentages and limits back into counts where the count itself is hidden."""
    for r, t in pairs(released, true):
        if np.isnan(t["count"]) or not np.isnan(r["count"]) or t["unit"] != "percent":
            continue
        name = a.count(("share", *(str(v) for v in t.values())), t["count"])
        if not np.isnan(r["estimate"]) and not np.isnan(t["n"]):
            slack = 0.5 * t["n"] + 1e-6
            a.narrow(name, *(r["estimate"] * t["n"] / 100 + s / 100 for s in (-slack, slack)))
        if "wilson" in str(t["interval"]) and not np.isnan(r["ci_low"]):
            found = invert_wilson(r["ci_low"], r["ci_high"])
            if (t["count"], t["n"]) in found:
                a.narrow(name, min(x for x, _ in found), max(x for x, _ in found))


def _safety(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    cells: dict[tuple[str, ...], dict[str, Hashable]] = {}
    for r, t in pairs(released, true):
        key = tuple(str(t[c]) for c in ("harm", "event", "reported", "group", "per"))
        harm, event, reported, group, per = key
        if t["statistic"] == "zero_upper_sessions":
            continue
        own = cells.setdefault((*key, str(t["statistic"])), {})
        if t["statistic"] == "share":
            own["n"] = a.see(("answers", harm, reported, group, per), t["n"], r["n"])
        else:
            own["n"] = a.see(("days known", harm, event, reported, group), t["n"], r["n"])
        own["of"] = a.see(("visits", group, per), t["of"], r["of"])
        kind = "share" if t["statistic"] == "share" else "short"
        if not np.isnan(t["count"]):
            own["count"] = a.see((kind, *key), t["count"], r["count"], zeros=not np.isnan(r["n"]))
        if t["statistic"] == "share":
            people: Hashable = ("answers", harm, reported, group, "patient")
        else:
            people = ("sufferers", harm, event, reported, group)
        own["patients"] = a.see(people, t["patients"], r["patients"], zeros=False)
    groups = [g for g in dict.fromkeys(true["group"]) if g != "all"]
    for key, own in cells.items():
        harm, event, reported, group, per, statistic = key
        a.add_up(own["of"], [own["n"]], more=True)
        if "count" in own:
            a.add_up(own["n"], [own["count"]], more=True)
        if per == "session":
            a.at_least(own["n"], own["patients"])
            if group == "all":
                for part in ("n", "of", "count"):
                    others = [cells.get((harm, event, reported, g, per, statistic)) for g in groups]
                    known = [o[part] for o in others if o and part in o]
                    if part in own and known:
                        a.add_up(own[part], known, more=True)
        if statistic == "median_days":
            shares = cells.get((harm, event, reported, group, "session", "share"), {})
            people = cells.get((harm, event, reported, group, "patient", "share"), {})
            a.add_up(shares.get("count"), [own["n"]], more=True)
            a.add_up(people.get("count"), [own["patients"]], more=True)
        if event == "any" and statistic == "share":
            kinds = [
                c["count"]
                for k, c in cells.items()
                if k[0] == harm and k[1] != "any" and k[2:] == key[2:] and "count" in c
            ]
            if kinds and per == "session":
                a.add_up(own["count"], kinds)
            for kind in kinds:
                a.add_up(own["count"], [kind], more=True)
        if per == "session" and statistic == "share":
            ways = [
                ("answers", harm, way, group, per) for way in ("asked", "volunteered", "unstated")
            ]
            known = [w for w in ways if w in a.truth]
            if len(known) > 1:
                a.add_up(own["of"], known, more=True)


def _cost(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    for r, t in pairs(released, true):
        if np.isnan(t["n"]):
            continue
        name = a.see(("paid", t["topic"], t["visit"], t["n"]), t["n"], r["n"], zeros=False)
        a.see("N", t["of"], r["of"], zeros=False)
        a.add_up("N", [name], more=True)
        if t["basis"] != "records":
            a.add_up(whole(main), [name], more=True)
        if not np.isnan(t["count"]):
            count = a.see(("paid", t["statistic"]), t["count"], r["count"])
            a.add_up(name, [count], more=True)


def _cost_plane(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    for r, t in pairs(released, true):
        name = a.see(("paid", "cost", "all", t["n"]), t["n"], r["n"], zeros=False)
        a.add_up(whole(main), [name], more=True)


def _expected(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    for r, t in pairs(released, true):
        people = ("n", t["outcome"], t["comparison"], "all")
        if np.isnan(t["n"]):
            continue
        if a.truth.get(people) == t["n"]:
            a.see(people, t["n"], r["n"], zeros=False)
        else:
            name = ("both windows", t["outcome"], t["comparison"], t["n"])
            a.see(name, t["n"], r["n"], zeros=False)
            a.add_up(people, [name], more=True)


def _ratio(a: Attack, few: Hashable, many: Hashable, means: tuple[float, float]) -> None:
    """Use that (mean over the few) x few = (mean with the others at no change) x many."""
    own, mixed = (sorted((abs(m) - 0.05, abs(m) + 0.05)) for m in means)
    if few == many or np.isnan(means).any() or own[0] <= 0 or mixed[0] <= 0:
        return
    a.bound({few: 1.0, many: -mixed[0] / own[1]}, 0.0, 1e6)
    a.bound({few: 1.0, many: -mixed[1] / own[0]}, -1e6, 0.0)


def _sensitivity(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    names: dict[tuple[str, str], tuple[Hashable, float]] = {}
    for r, t in pairs(released, true):
        if np.isnan(t["n"]):
            continue
        outcome = str(t["outcome"])
        name = _analysed(a, outcome, t["n"], main)
        a.see(name, t["n"], r["n"], zeros=False)
        a.see("N", t["of"], r["of"], zeros=False)
        a.add_up("N", [name], more=True)
        names[outcome, str(t["id"])] = (name, r["estimate"])
    for (outcome, id), (few, mean) in names.items():
        other = names.get((outcome, "baseline_carried_forward"))
        if id == "complete_pairs" and other:
            a.add_up(other[0], [few], more=True)
            _ratio(a, few, other[0], (mean, other[1]))


def _analysed(a: Attack, outcome: str, n: float, main: Any) -> Hashable:
    """Name the people of one way to analyse an outcome: those of its change, or all who started."""
    own = ("n", outcome, main[1], "all") if main else "nobody"
    for known in (own, "N"):
        if a.truth.get(known) == n:
            return known
    return ("analysed as", outcome, n)


def _specifications(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    axes = ["outcome", "window", "completeness", "headache_day", "before"]
    names: dict[tuple[str, ...], tuple[Hashable, float]] = {}
    for r, t in pairs(released, true):
        if np.isnan(t["n"]):
            continue
        key = (*(str(t[c]) for c in axes), str(t["lost"]), str(t["value"]))
        name = _analysed(a, key[0], t["n"], main)
        a.see(name, t["n"], r["n"], zeros=False)
        a.see("N", t["of"], r["of"], zeros=False)
        a.add_up("N", [name], more=True)
        names[key] = (name, r["estimate"])
    for key, (name, mean) in names.items():
        *rest, lost, value = key
        if lost == "complete_pairs":
            other = names.get((*rest, "baseline_carried_forward", value))
            if other:
                a.add_up(other[0], [name], more=True)
                _ratio(a, name, other[0], (mean, other[1]))
            # A window that is complete with more days is complete with fewer.
            loose = (*rest[:2], rest[2].replace("20", "14"), *rest[3:], lost, value)
            if loose != key and loose in names:
                a.add_up(names[loose][0], [name], more=True)
            alone = (*rest[:4], "last_window", lost, value)
            if alone != key and alone in names:
                a.add_up(names[alone][0], [name], more=True)


def _checks(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    for r, t in pairs(released, true):
        if np.isnan(t["n"]):
            continue
        people = ("n", t["outcome"], t["comparison"], "all")
        name: Hashable = people
        if a.truth.get(people) != t["n"]:
            name = ("checked", t["id"], t["outcome"])
        a.see(name, t["n"], r["n"], zeros=False)
        a.add_up("N", [name], more=True)
        if t["id"] == "oldham":
            a.add_up(people, [name], more=True)
        if not np.isnan(t["count"]):
            count = a.see(("check count", t["id"], t["outcome"]), t["count"], r["count"])
            a.add_up(name, [count], more=True)


def _dose(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    thirds: dict[str, list[Hashable]] = {}
    for r, t in pairs(released, true):
        name: Hashable = ("dose", t["dose"], t["n"])
        if t["statistic"] == "mean_change_of_third":
            name = ("third", t["dose"], t["level"])
            thirds.setdefault(t["dose"], []).append(name)
        elif t["n"] == a.truth.get(whole(main)):
            name = whole(main)
        a.see(name, t["n"], r["n"], zeros=False)
        if t["statistic"] == "mean_dose":
            a.add_up(whole(main), [name], more=True)
            thirds.setdefault(t["dose"], []).insert(0, name)
    for total, *parts in thirds.values():
        a.add_up(total, parts)


def _relapse(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    groups: dict[str, list[Hashable]] = {}
    for r, t in pairs(released, true):
        group, rule = str(t["group"]), str(t["rule"])
        n = a.see(("at risk", group), t["n"], r["n"], zeros=False)
        if main:
            responders = ("count", *main, group, "responders_50")
            if a.truth.get(responders) == t["n"]:
                a.add_up(responders, [n])
        gaps = a.see(("gaps", rule, group), t["gaps"], r["gaps"], zeros=False)
        events = a.count(("relapsed", rule, group), t["events"])
        followed = a.see(("followed", rule, group), t["followed"], r["followed"], zeros=False)
        a.add_up(n, [gaps, events], more=True)
        a.add_up(n, [followed], more=True)
        a.add_up(followed, [events], more=True)
        if group != "all":
            groups.setdefault(rule, []).append(group)
    for rule, own in groups.items():
        for kind in ("gaps", "relapsed", "followed"):
            a.add_up((kind, rule, "all"), [(kind, rule, g) for g in own], more=True)
        a.add_up(("at risk", "all"), [("at risk", g) for g in own], more=True)


def _curve(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    """Steps between midpoints of blocks: how many had had the event, and had left, by then."""
    block = 6 if a.preset.redact_up_to <= 7 else 12

    def see(name: Hashable, value: float, printed: float) -> Hashable:
        a.count(name, value)
        k = (printed + block // 2) / block
        a.narrow(name, *((0.0, 0.0) if printed == 0 else ((k - 1) * block + 1, k * block)))
        return name

    for (rule, group), part in true.groupby(["rule", "group"], sort=False):
        start = ("at risk", group)
        shown = released[(released["rule"] == rule) & (released["group"] == group)]
        shown = shown[shown["at_risk"].notna()]
        if not len(shown):
            continue
        first = float(shown["at_risk"].iloc[0])
        see(start, float(part["at_risk"].iloc[0]), first)
        printed_events = 0.0
        before: list[Hashable] = []
        for r in shown.to_dict("records"):
            at = part["window"] <= r["window"]
            had = float(part.loc[at, "events"].sum())
            earlier = float(part.loc[part["window"] < r["window"], "events"].sum())
            left = float(part["at_risk"].iloc[0]) - earlier
            left -= float(part.loc[part["window"] == r["window"], "at_risk"].iloc[0])
            gone = ("gone", rule, group, r["window"])
            see(gone, left, first - printed_events - r["at_risk"])
            printed_events += r["events"]
            events = see(("had", rule, group, r["window"]), had, printed_events)
            a.add_up(("relapsed", rule, group), [events], more=True)
            a.add_up(start, [events, gone], more=True)
            before.append(events)
        for inner, outer in pairwise(before):
            a.add_up(outer, [inner], more=True)


def _control_chart(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    months: dict[str, list[Hashable]] = {}
    for r, t in pairs(released, true):
        chart, month = t["chart"], t["month"]
        kind = "started in" if chart == "lost" else "analysed in"
        n = a.see((kind, month), t["n"], r["n"], zeros=not np.isnan(r["n"]))
        months.setdefault(kind, []).append(n)
        if not np.isnan(t["count"]):
            count = a.see((chart, "in", month), t["count"], r["count"], zeros=not np.isnan(r["n"]))
            a.add_up(n, [count], more=True)
            months.setdefault(chart, []).append(count)
        for limit in ("low", "high"):
            # sigma = sqrt(p (1 - p) / n), cut off at 0 and 100
            gap, p = abs(r[limit] - r["centre"]) / 300, r["centre"] / 100
            if t["kind"] != "p" or np.isnan(gap) or not gap or r[limit] in (0, 100):
                continue
            implied = p * (1 - p) / gap**2
            if np.isnan(r["n"]):
                a.narrow(n, implied * 0.95, implied * 1.05)
    for name in list(a.truth):
        if isinstance(name, tuple) and name[0] == "started in":
            a.add_up(name, [("analysed in", name[1]), ("lost", "in", name[1])])
    for kind, total in (
        ("started in", "N"),
        ("analysed in", whole(main)),
        ("lost", ("lost", *main, "all") if main else None),
        ("responders", ("count", *main, "all", "responders_50") if main else None),
    ):
        a.add_up(total, list(dict.fromkeys(months.get(kind, []))), more=True)


def _funnel(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    names = []
    for r, t in pairs(released, true):
        name: Hashable = ("funnel", t["therapist"])
        group = ("n", *main, f"therapist: {t['therapist']}") if main else None
        if a.truth.get(group) == t["n"]:
            name = group
        names.append(a.see(name, t["n"], r["n"], zeros=False))
    a.add_up(whole(main), names, more=True)
    a.add_up("N", names, more=True)
    for name, (_, t) in zip(names, pairs(released, true), strict=True):
        # On more days than the primary change there are more people, all of whom started.
        group = f"therapist: {t['therapist']}"
        a.add_up(("of", group), [name], more=True)
        if main and name != ("n", *main, group):
            a.add_up(name, [("n", *main, group)], more=True)
    seen = [(r["se"] ** 2 * r["n"], r, t) for r, t in pairs(released, true)]
    spread = [s for s, _, _ in seen if not np.isnan(s)]
    for name, (_, r, _) in zip(names, seen, strict=True):
        if np.isnan(r["n"]) and not np.isnan(r["se"]) and spread:  # one spread for all
            a.narrow(name, 0.9 * min(spread) / r["se"] ** 2, 1.1 * max(spread) / r["se"] ** 2)


def _traps(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    for r, t in pairs(released, true):
        if np.isnan(t["n"]):
            continue
        n = a.see(("trap", t["id"]), t["n"], r["n"], zeros=False)
        of: Hashable = ("trap of", t["id"])
        if t["id"] == "dropout_if_not_better" and main:
            of = ("lost", *main, "all")
        if np.isnan(t["of"]):
            continue
        a.see(of, t["of"], r["of"], zeros=False)
        a.add_up(of, [n], more=True)
        a.add_up("N", [of], more=True)
        # A trap is flagged from five people on; a hidden row says no such thing.
        if r["flagged"] and t["id"] in ("zero_coded_missing", "unit_mix"):
            a.narrow(n, 5, 1e5)


def _benchmark(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    for r, t in pairs(released, true):
        if t["block"] == "clinic" and not np.isnan(t["n"]):
            name = whole(main) if a.truth.get(whole(main)) == t["n"] else ("benchmark", t["n"])
            a.see(name, t["n"], r["n"], zeros=False)
            if not np.isnan(r["df"]):
                a.narrow(name, r["df"] + 1, r["df"] + 1)


def _claims(a: Attack, released: pd.DataFrame, true: pd.DataFrame, main: Any) -> None:
    for r, t in pairs(released, true):
        if np.isnan(t["n"]):
            continue
        part = str(t["part"])
        n: Hashable = ("claim", t["row"], part)
        count: Hashable = ("claim count", t["row"], part)
        if main and part.startswith("technique: ") and ("n", *main, part) in a.truth:
            n = ("n", *main, part)
        elif t["row"] == 1 and main and part in ("frequency", "intensity", "duration"):
            n = ("n", part, main[1], "all")
        elif part in ("soreness", "lethargy"):
            for way in ("asked", "unstated", "volunteered"):
                if a.truth.get(("answers", part, way, "all", "session")) == t["n"]:
                    n = ("answers", part, way, "all", "session")
                    count = ("share", part, "any", way, "all", "session")
        if a.truth.get(n, t["n"]) != t["n"]:
            n = ("claim", t["row"], part)
        if a.truth.get(count, t["count"]) != t["count"]:
            count = ("claim count", t["row"], part)
        a.see(n, t["n"], r["n"], zeros=False)
        if not np.isnan(t["count"]):
            a.see(count, t["count"], r["count"], zeros=False)
            a.add_up(n, [count], more=True)
        if t["row"] == 8 and part == "back_in_next_window":
            followed = ("followed", "one", "all")
            if a.truth.get(followed) == t["n"]:
                a.add_up(followed, [n])
            had = ("had", "one", "all", 1)
            if a.truth.get(had) == t["count"]:
                a.add_up(had, [count])


READERS = {
    "safety": _safety,
    "cost": _cost,
    "cost_plane": _cost_plane,
    "expected": _expected,
    "sensitivity": _sensitivity,
    "specifications": _specifications,
    "checks": _checks,
    "dose": _dose,
    "relapse": _relapse,
    "relapse_curve": _curve,
    "control_chart": _control_chart,
    "funnel": _funnel,
    "traps": _traps,
    "benchmark": _benchmark,
    "claims": _claims,
}
SHARES = ("cohort", "safety", "cost", "claims", "checks")
