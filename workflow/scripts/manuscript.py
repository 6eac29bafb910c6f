"""The folder that goes to a journal, of one review."""

import json
from pathlib import Path

from headway.report.manuscript import write_manuscript


def main(snakemake):
    """Write the folder from the review's tables; an empty one where its files were refused."""
    folder = Path(snakemake.output.folder)
    if json.loads(Path(snakemake.input.status).read_text())["state"] != "ready":
        folder.mkdir(parents=True, exist_ok=True)
        return
    language = snakemake.params.language
    write_manuscript(Path(snakemake.input.review).parent, folder.parent, language)


if "snakemake" in globals():
    from _job import run

    run(main, snakemake)
