"""What patients are told about trigger point treatment, held against a clinic's own records."""

from headway.outcomes.claims.file import CLAIMS_FILE, Claims, Part, load_claims
from headway.outcomes.claims.records import Finding, Records
from headway.outcomes.claims.rules import Rule, holm, judge, judge_again
from headway.outcomes.claims.table import build_claims

__all__ = [
    "CLAIMS_FILE",
    "Claims",
    "Finding",
    "Part",
    "Records",
    "Rule",
    "build_claims",
    "holm",
    "judge",
    "judge_again",
    "load_claims",
]
