"""The index of all results, and the record of what they stand on."""

import json
from pathlib import Path

from headway.report import index, provenance


def main(snakemake):
    """Write index.html and provenance.json."""
    cards = {
        kind: [json.loads(Path(p).read_text()) for p in snakemake.input[kind]]
        for kind in ("trials", "clinics")
    }
    notebooks = [Path(p).stem for p in snakemake.input.notebooks]
    record = provenance.collect(
        sorted(snakemake.input.files),
        Path(snakemake.params.data_dir),
        snakemake.params.config,
        Path(snakemake.input.environment),
    )
    Path(snakemake.output.provenance).write_text(json.dumps(record, indent=1) + "\n")
    page = index.build(
        cards["trials"], cards["clinics"], snakemake.params.skipped, notebooks, record
    )
    Path(snakemake.output.page).write_text(page, encoding="utf-8")


if "snakemake" in globals():
    from _job import run

    run(main, snakemake)
