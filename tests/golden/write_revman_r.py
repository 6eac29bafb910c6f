"""Write revman_r.json: made-up 2 x 2 tables with empty cells, and R metafor's answers to them.

    python tests/golden/write_revman_r.py

It needs Rscript with jsonlite and metafor.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


def draw() -> list[dict[str, Any]]:
    """Draw sets of trials, most with a trial without events, or with events only, in both arms."""
    rng = np.random.default_rng(20261130)
    sets = []
    for k in (3, 4, 5, 7, 9, 12, 18):
        for risk in (0.03, 0.2, 0.8):
            n1, n2 = rng.integers(8, 90, (2, k))
            odds = np.exp(rng.normal(-0.4, 0.5, k)) * risk / (1 - risk)
            a, c = rng.binomial(n1, odds / (1 + odds)), rng.binomial(n2, risk)
            if k > 3:
                a[0], c[0] = 0, 0
                a[1], c[1] = n1[1], n2[1]
            a[-1], c[-1] = 0, max(2, int(c[-1]))
            a[-2] = max(2, int(min(a[-2], n1[-2] - 1)))
            c[-2] = max(2, int(min(c[-2], n2[-2] - 1)))
            columns = {"a": a, "b": n1 - a, "c": c, "d": n2 - c}
            sets.append({name: x.tolist() for name, x in columns.items()})
    return sets


def main() -> None:
    """Ask R and write what it says."""
    sets = draw()
    with tempfile.TemporaryDirectory() as name:
        data, out = Path(name) / "data.json", Path(name) / "answers.json"
        data.write_text(json.dumps(sets), encoding="utf-8")
        command = ["Rscript", "--vanilla", str(HERE / "revman.R"), str(data), str(out)]
        subprocess.run(command, check=True)
        found = json.loads(out.read_text(encoding="utf-8"))
    text = json.dumps({"metafor": found["metafor"], "sets": sets, "answers": found["answers"]})
    (HERE / "revman_r.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
