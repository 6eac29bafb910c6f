"""Windows, change and cohort of one clinic, before disclosure control."""

import json
from pathlib import Path

from headway import tables
from headway.outcomes import cohort


def main(snakemake):
    """Read the processed tables and write what they say."""
    folder = Path(snakemake.input.clinic).parent
    clinic = json.loads(Path(snakemake.input.clinic).read_text())
    status = json.loads(Path(snakemake.input.status).read_text())
    if status["state"] == "ready":
        result = cohort.analyse_clinic(folder, clinic, threads=snakemake.threads)
    else:
        result = cohort.empty_cohort()
    account = tables.read_csv("flow", Path(snakemake.input.account))
    for name in ("windows", "change"):
        tables.write_parquet(result[name], Path(snakemake.output[name]))
    result["flow"] = cohort.join_flow(account, result["flow"])
    for name in cohort.RELEASED:
        tables.write_csv(result[name], Path(snakemake.output[name]))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake, private=True)
