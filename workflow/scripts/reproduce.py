"""The verdicts on the stored totals of one file of a library, or of one review."""

import json
from pathlib import Path

from headway import tables
from headway.reviews import library


def main(snakemake):
    """Write the verdicts, and the file's account."""
    found, account = library.judge_source(Path(snakemake.params.path), snakemake.params.name)
    tables.write_csv(found, Path(snakemake.output.table))
    tables.write_text(json.dumps(account, indent=1) + "\n", Path(snakemake.output.account))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake)
