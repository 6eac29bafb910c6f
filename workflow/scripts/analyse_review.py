"""Effects, pooled estimates, verdicts and doubts of one review."""

import json
from pathlib import Path

from headway import config, tables
from headway.ingest.adapters import metafor, revman_export
from headway.reviews import analyse as reviews


def main(snakemake):
    """Read the processed tables and write what they say."""
    review = config.read_review(Path(snakemake.input.review))
    status = json.loads(Path(snakemake.input.status).read_text())
    names = ("arms", "contrasts", "published", "risk_of_bias", "ipd")
    read = {name: tables.read_csv(name, Path(snakemake.input[name])) for name in names}
    refused = status["state"] == "refused"
    found = reviews.empty_review() if refused else reviews.analyse_review(**read, review=review)
    for name, table in found.items():
        tables.write_csv(table, Path(snakemake.output[name]))
    metafor.write_metafor(found["effects"], Path(snakemake.output.metafor))
    for problem in revman_export.write_revman(found["effects"], Path(snakemake.output.revman)):
        print(problem)  # rows that RevMan cannot hold
    text = "" if refused else metafor.write_script(review)
    tables.write_text(text, Path(snakemake.output.r_script))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake)
