"""One review's files as printed -> canonical tables, or the reasons why they cannot be used."""

import json
from pathlib import Path

from headway import config, tables
from headway.errors import UserError
from headway.ingest import trials
from headway.tables import private


def main(snakemake):
    """Write the processed tables; a refused review gets empty ones."""
    folder = Path(snakemake.params.folder)
    review, problems = config.name_review(folder.name), []
    found = {
        name: tables.empty(name)
        for name in ("arms", "contrasts", "published", "risk_of_bias", "ipd")
    }
    try:
        review = config.load_review(folder)
        read = trials.read_review(folder, review)
        found = {name: getattr(read, name) for name in found}
    except UserError as error:
        # A refusal is a result: the other reviews go on, and the end of the run reports it.
        problems = error.as_problems()
        print(f"headway: {error}")
    for name, table in found.items():
        tables.write_csv(table, Path(snakemake.output[name]))
    private.restrict(Path(snakemake.output.ipd))
    state = "refused" if problems else "ready"
    status = {"name": folder.name, "state": state, "problems": problems}
    tables.write_text(config.write_settings(review), Path(snakemake.output.review))
    tables.write_text(json.dumps(status, indent=1) + "\n", Path(snakemake.output.status))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake)
