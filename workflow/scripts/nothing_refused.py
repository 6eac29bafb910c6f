"""The end of a run: fail if a source was refused, and say which and why."""

import json
from pathlib import Path

from headway import tables
from headway.errors import RefusedError


def main(snakemake):
    """Collect the states of all sources."""
    paths = [*snakemake.input.trials, *snakemake.input.clinics]
    states = [json.loads(Path(path).read_text()) for path in paths]
    # Those that no job could read under their name, and those that a job refused.
    found = [*snakemake.params.refused, *(s for s in states if s["state"] == "refused")]
    refused = [
        "\n".join([f"{one['name']}:", *(f"  - {p['text']}" for p in one["problems"])])
        for one in found
    ]
    if refused:
        raise RefusedError(
            "everything else was built, but these sources were refused:\n" + "\n".join(refused)
        )
    tables.write_text("no source was refused\n", Path(snakemake.output[0]))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake)
