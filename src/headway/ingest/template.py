"""A new review's folder: a commented review.yaml, and a file with the header of each table."""

from __future__ import annotations

import re
from pathlib import Path

from headway.errors import ConfigError, Problem
from headway.ingest.trials.columns import NUMBERS, TEXTS
from headway.messages import Message
from headway.tables import replacing_folder

TEMPLATE = Path(__file__).with_name("template_review.yaml")
NAME = re.compile(r"[a-z0-9_]+")
# Columns in the order in which a paper is read; the rest stand in docs/review.yaml.md.
HEADERS: dict[str, tuple[str, ...]] = {
    "arms": (
        "trial",
        "year",
        "condition",
        "arm",
        "role",
        "technique",
        "comparator",
        "outcome",
        "unit",
        "timepoint",
        "time_days",
        "kind",
        "n",
        "mean",
        "sd",
        "se",
        "ci_low",
        "ci_high",
        "median",
        "q1",
        "q3",
        "range_low",
        "range_high",
        "baseline_n",
        "baseline_mean",
        "baseline_sd",
        "events",
        "positive_means",
        "status",
        "source",
        "note",
    ),
    "contrasts": (
        "trial",
        "year",
        "condition",
        "treatment_arm",
        "control_arm",
        "technique",
        "comparator",
        "outcome",
        "unit",
        "timepoint",
        "time_days",
        "effect_type",
        "effect",
        "ci_low",
        "ci_high",
        "se",
        "p",
        "n_total",
        "positive_means",
        "status",
        "source",
        "note",
    ),
    "risk_of_bias": ("trial", "outcome", "domain", "judgement", "support", "signed_by"),
}


def check_name(name: str) -> None:
    """Refuse a name that cannot be a review's, such as a path.

    Raises
    ------
    ConfigError
        Unless it is of small letters, digits and underscores.
    """
    if not NAME.fullmatch(name):
        remedy = "remedy.no_name"
        raise ConfigError(
            "failure.review_name", [Problem("NAME", "name", "problem.no_name", remedy=remedy)]
        )


def write_template(folder: Path) -> list[Path]:
    """Write a new review's folder.

    Parameters
    ----------
    folder
        The folder to make; its name becomes the review's.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ConfigError
        If the name is not of small letters, digits and underscores, or the folder is there
        already: nothing is ever written over.
    """
    name = folder.name
    check_name(name)
    if folder.exists():
        raise ConfigError(Message("failure.folder_there", folder=name))
    for kind, header in HEADERS.items():
        unknown = set(header) - {*TEXTS[kind], *NUMBERS[kind]}
        assert not unknown, unknown
    text = TEMPLATE.read_text(encoding="utf-8").replace("{{name}}", name)
    contents = {
        "review.yaml": text,
        "README.md": f"# {name}\n\nWhere the numbers come from, and under which licence.\n",
        **{f"{kind}.csv": ",".join(header) + "\n" for kind, header in HEADERS.items()},
    }
    with replacing_folder(folder) as part:
        for file, content in contents.items():
            (part / file).write_text(content, encoding="utf-8")
    return [folder / file for file in contents]
