"""Networks of treatments: all trials that compare any two of them, pooled together.

By contrasts, frequentist. docs/network.md shows it by example.
"""

from headway.meta.network.data import Network, read_arms, read_contrasts, read_pairs
from headway.meta.network.evidence import (
    Evidence,
    find_contributions,
    tabulate_evidence,
    trace_evidence,
)
from headway.meta.network.fit import NetworkFit, pool_network
from headway.meta.network.funnel import Funnel, adjust_funnel
from headway.meta.network.inconsistency import Inconsistency, check_consistency, split_sides
from headway.meta.network.ranking import rank_treatments

__all__ = [
    "Evidence",
    "Funnel",
    "Inconsistency",
    "Network",
    "NetworkFit",
    "adjust_funnel",
    "check_consistency",
    "find_contributions",
    "pool_network",
    "rank_treatments",
    "read_arms",
    "read_contrasts",
    "read_pairs",
    "split_sides",
    "tabulate_evidence",
    "trace_evidence",
]
