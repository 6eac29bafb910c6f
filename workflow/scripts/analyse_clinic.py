"""Windows, change and cohort of one clinic, before disclosure control."""

import json
from pathlib import Path

from headway import config, tables
from headway.outcomes import audit
from headway.outcomes.change import cohort
from headway.tables import engine, private


def main(snakemake):
    """Read the processed tables and write what they say."""
    # Tables of people stand beside the engine.
    engine.limit_memory(max(1, snakemake.resources.engine_mb // 2))
    folder = Path(snakemake.input.clinic).parent
    if snakemake.threads > 1:  # a large clinic
        engine.return_memory_early()
        analyse(snakemake, folder)
    else:
        with engine.keep_open(near=folder):
            analyse(snakemake, folder)


def analyse(snakemake, folder):
    """Take the processed tables of a clinic through every analysis."""
    import pandas as pd

    clinic = config.read_clinic(Path(snakemake.input.clinic))
    status = json.loads(Path(snakemake.input.status).read_text())
    if status["state"] == "ready":
        read = [tables.read_csv("arms", Path(p)) for p in getattr(snakemake.input, "arms", ())]
        arms = pd.concat([a for a in read if len(a)]) if any(map(len, read)) else None
        windows, threads = Path(snakemake.output.windows), snakemake.threads
        result = audit.audit_clinic(folder, clinic, arms, stored=windows, threads=threads)
    else:
        result = audit.empty_audit(status["problems"])
        tables.write_parquet(result["windows"], Path(snakemake.output.windows))
    account = tables.read_csv("flow", Path(snakemake.input.account))
    tables.write_parquet(result["change"], Path(snakemake.output.change))
    follow_up = Path(snakemake.output.follow_up)
    tables.write_csv(result["follow_up"], follow_up)
    private.restrict(follow_up)
    result["flow"] = cohort.join_flow(account, result["flow"])
    for name in tables.RELEASED:
        tables.write_csv(result[name], Path(snakemake.output[name]))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake, private=True)
