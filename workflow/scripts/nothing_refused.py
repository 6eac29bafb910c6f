"""The end of a run: fail if a source was refused, and say which and why."""

import json
from pathlib import Path

from headway import tables
from headway.errors import RefusedError


def main(snakemake):
    """Collect the states of all sources."""
    refused = []
    for path in [*snakemake.input.trials, *snakemake.input.clinics]:
        status = json.loads(Path(path).read_text())
        if status["state"] == "refused":
            texts = "\n".join(f"  - {p['text']}" for p in status["problems"])
            refused.append(f"{status['name']}:\n{texts}")
    if refused:
        raise RefusedError(
            "everything else was built, but these sources were refused:\n" + "\n".join(refused)
        )
    tables.write_text("no source was refused\n", Path(snakemake.output[0]))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake)
