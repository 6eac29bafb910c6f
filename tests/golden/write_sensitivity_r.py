"""Write sensitivity_r.json: made-up data, and R's answers to them.

    PYTHONPATH=src python tests/golden/write_sensitivity_r.py

It needs Rscript with jsonlite, mice, geepack and lme4. The working correlation that geepack is
given is ours: the estimators of the correlation differ in their degrees of freedom, the equations
at a given one may not.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headway.outcomes.expectation import longitudinal

HERE = Path(__file__).parent


def draw() -> dict[str, Any]:
    """Draw everything from one seed."""
    rng = np.random.default_rng(20261126)
    rubin = []
    for m, between, complete_df in ((2, 0.3, 20), (5, 0.2, 149), (20, 0.05, 204), (20, 1.5, 12)):
        rubin.append(
            {
                "q": (-2 + rng.normal(0, between, m)).tolist(),
                "u": (0.2 + 0.02 * rng.random(m)).tolist(),
                "complete_df": complete_df,
            }
        )
    n = 150
    pre = np.clip(np.round(rng.normal(16, 6, n)), 0, 28)
    earlier = np.clip(np.round(pre + rng.normal(0, 4, n)), 0, 28)
    post = np.clip(np.round(0.7 * pre + 2 + rng.normal(0, 5, n)), 0, 28)
    lost = rng.random(n) < 1 / (1 + np.exp(1 - 0.1 * (pre - 16)))
    people = {
        "pre": [None if r < 0.08 else v for r, v in zip(rng.random(n), pre, strict=True)],
        "post": [None if gone else v for gone, v in zip(lost, post, strict=True)],
        "earlier": [None if r < 0.1 else v for r, v in zip(rng.random(n), earlier, strict=True)],
    }
    rows: dict[str, list[Any]] = {"person": [], "level": [], "days": [], "count": []}
    for i, share in enumerate(rng.beta(2, 2, 60)):
        for k, level in enumerate(("before", "after", "window x")):
            days = int(rng.integers(5, 29))
            p = np.clip(share * (1 - 0.2 * k) + rng.normal(0, 0.08), 0.02, 0.98)
            count, seen = int(rng.binomial(days, p)), rng.random() < 0.8
            if seen:
                for name, value in zip(rows, (i, level, days, count), strict=True):
                    rows[name].append(value)
    return {"rubin": rubin, "people": people, "rows": rows}


def main() -> None:
    """Ask R and write the file."""
    data = draw()
    rows = pd.DataFrame(data["rows"])
    design = np.column_stack(
        [np.ones(len(rows)), rows["level"] == "after", rows["level"] == "window x"]
    )
    data["correlation"] = {
        family: longitudinal.fit_gee(
            rows["count"], rows["days"], design, rows["person"], family
        ).correlation
        for family in ("binomial", "poisson")
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data.json").write_text(json.dumps(data), encoding="utf-8")
        subprocess.run(
            ["Rscript", "--vanilla", str(HERE / "sensitivity.R"), "data.json", "answers.json"],
            cwd=folder,
            check=True,
        )
        answers = json.loads((Path(folder) / "answers.json").read_text(encoding="utf-8"))
    text = json.dumps({"data": data, "answers": answers}, indent=None)
    (HERE / "sensitivity_r.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
