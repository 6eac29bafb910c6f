"""Write the made-up data sets and R metafor's answers to them, below inside/.

    python tests/golden/write_golden.py [LIBRARY]

It needs Rscript with metafor 3.8, metadat, clubSandwich, survival and jsonlite. LIBRARY is a folder
of R packages with metafor 5.1 in it, whose definitions a few measures follow; without it, its
answers stay as they are.
"""

from __future__ import annotations

import json
import lzma
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
INSIDE = HERE / "inside" / "golden"
ANSWERS = INSIDE / "metafor"
DATA = ANSWERS / "data"


def compress(text: bytes) -> bytes:
    """Return the same bytes for the same text, whenever and wherever it is written."""
    return lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)


def run(script: str, *arguments: str, library: str = "") -> None:
    """Run a script of this folder in R; its messages are shown."""
    places = {"R_LIBS": library} if library else {}
    command = ["Rscript", "--vanilla", str(HERE / script), *arguments]
    subprocess.run(command, check=True, env={**os.environ, **places})


def ask(script: str, *names: str, library: str = "") -> bytes:
    """Ask R with the arguments `names`, of which OUT stands for the file it writes."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        run(script, *(str(out) if name == "OUT" else name for name in names), library=library)
        return out.read_bytes()


def draw_times() -> list[dict[str, Any]]:
    """Draw times to a relapse: of few and of many people, seen late or never."""
    rng = np.random.default_rng(20261126)
    sets = []
    for n, last in ((5, 4), (12, 6), (40, 12), (300, 12), (1000, 39)):
        for hazard in (0.02, 0.1, 0.4):
            relapse = rng.geometric(hazard, n)
            end = rng.integers(0, last + 1, n)
            # A relapse at a time counts before the end of the record at that time.
            event = relapse <= end
            time = np.where(event, relapse, end)
            horizon = int(max(1, time.max() - 1))
            # Looks that were missed widen intervals: the last one before, and the first after.
            left = np.maximum(time - event - rng.integers(0, 3, n), 0)
            right = np.where(event, time + rng.integers(0, 2, n), 0)  # 0: never seen
            columns = {"time": time, "event": event.astype(int), "left": left, "right": right}
            own: dict[str, Any] = {name: column.tolist() for name, column in columns.items()}
            sets.append(own | {"horizon": horizon, "at": list(range(1, horizon + 1))})
    return sets


def write_times() -> None:
    """Store made-up times and the curves of R's survival."""
    sets = draw_times()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.json"
        file.write_text(json.dumps(sets), encoding="utf-8")
        answers = json.loads(ask("live_survival.R", str(file), "OUT"))
    text = json.dumps({"data": sets, "answers": answers}) + "\n"
    (INSIDE / "survival.json.xz").write_bytes(compress(text.encode()))


def main(library: str = "") -> None:
    """Write everything again."""
    DATA.mkdir(parents=True, exist_ok=True)
    data = str(DATA)
    run("made_up.R", data)
    (INSIDE / "clinic.json").write_bytes(ask("write_clinic.R", data, "OUT"))
    write_times()
    networks = ask("live_network.R", "OUT", data)
    (ANSWERS / "networks.json.xz").write_bytes(compress(networks))
    (ANSWERS / "oracle.json.xz").write_bytes(compress(ask("write_golden.R", data, "OUT")))
    if library:
        answers = ask("write_golden.R", data, "OUT", library=str(Path(library).resolve()))
        (ANSWERS / "oracle_metafor_5.1.json.xz").write_bytes(compress(answers))


if __name__ == "__main__":
    main(*sys.argv[1:2])
