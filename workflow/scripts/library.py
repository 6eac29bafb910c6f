"""The verdicts of a whole library: one table, one page."""

import json
from pathlib import Path

import pandas as pd

from headway import tables
from headway.report import library


def main(snakemake):
    """Put the verdicts of all files together."""
    accounts = [json.loads(Path(p).read_text()) for p in snakemake.input.accounts]
    read = [tables.read_csv("library", Path(p)) for p in snakemake.input.tables]
    rows = [table for table in read if len(table)]
    found = tables.empty("library")
    if rows:
        found = tables.conform("library", pd.concat(rows, ignore_index=True))
    files = tables.empty("library_files")
    if accounts:
        files = tables.conform("library_files", pd.DataFrame(accounts))
    tables.write_csv(found, Path(snakemake.output.library))
    tables.write_csv(files, Path(snakemake.output.files))
    page = library.build(found, files, snakemake.params.title)
    tables.write_text(page, Path(snakemake.output.page))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake)
