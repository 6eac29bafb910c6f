"""Gate, casts, quarantine and account of one clinic's files."""

import json
from pathlib import Path

from headway import config, tables
from headway.errors import UserError
from headway.ingest import clinics
from headway.tables import engine, private


def main(snakemake):
    """Write the processed tables, or the reasons why the clinic is refused."""
    import pandas as pd

    engine.limit_memory(snakemake.resources.engine_mb)
    folder = Path(snakemake.params.folder)
    out = Path(snakemake.output.status).parent
    private.make_private(out)
    clinic, rows, problems = config.name_clinic(folder.name), [], []
    try:
        clinic = config.load_clinic(folder)
        rows = clinics.ingest_clinic(folder, clinic, out, threads=snakemake.threads).as_flow()
    except UserError as error:
        # A refusal is a result: the other clinics go on, and the end of the run reports it.
        problems = error.as_problems()
        if isinstance(error, clinics.LossError):
            rows = error.found.as_flow()
        else:
            clinics.write_empty(out)
        print(f"headway: {error}")
    state = "refused" if problems else "ready"
    tables.write_text(config.write_settings(clinic), Path(snakemake.output.clinic))
    status = {"name": folder.name, "state": state, "problems": problems}
    tables.write_text(json.dumps(status, indent=1) + "\n", Path(snakemake.output.status))
    flow = tables.conform("flow", pd.DataFrame(rows)) if rows else tables.empty("flow")
    tables.write_csv(flow, Path(snakemake.output.account))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake, private=True)
