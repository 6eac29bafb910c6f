"""The index of all results, and the record of what they stand on."""

import json
from pathlib import Path

from headway import tables
from headway.report import index, provenance


def main(snakemake):
    """Write index.html and provenance.json."""
    standing = snakemake.params.standing
    cards = {
        kind: [json.loads(Path(p).read_text()) for p in sorted([*snakemake.input[kind], *others])]
        for kind, others in standing.items()
    }
    # Those of this run, and of an earlier one that wrote more than this one.
    notebooks = sorted(p.stem for p in Path(snakemake.output.page).parent.glob("notebooks/*.html"))
    record = provenance.collect(
        sorted(snakemake.params.files),
        Path(snakemake.params.data_dir),
        snakemake.params.config,
        [Path(p) for p in snakemake.input.environment],
    )
    tables.write_text(json.dumps(record, indent=1) + "\n", Path(snakemake.output.provenance))
    asked = snakemake.params
    page = index.build(
        cards["trials"],
        cards["clinics"],
        asked.skipped,
        notebooks,
        record,
        refused=asked.refused,
        unread=asked.unread,
        registry=asked.registry,
    )
    tables.write_text(page, Path(snakemake.output.page))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake)
