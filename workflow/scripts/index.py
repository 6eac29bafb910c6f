"""The index of all results, and the record of what they stand on."""

import json
from pathlib import Path

from headway import tables, version
from headway.report import crate, index, provenance


def main(snakemake):
    """Write index.html, provenance.json, and the run as an RO-Crate with the workflow's files."""
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

    results = Path(snakemake.output.page).parent
    code = copy_workflow(
        Path(snakemake.scriptdir).resolve().parents[1], Path(snakemake.output.workflow)
    )
    shown = [c for found in cards.values() for c in found if c["state"] != "refused"]
    written = crate.build(
        record,
        {
            kind: {c["name"]: c["title"] for c in found if c["state"] != "refused"}
            for kind, found in cards.items()
        },
        [
            *("index.html", "provenance.json"),
            *(f"notebooks/{name}.html" for name in notebooks),
            *(c[page] for c in shown for page in ("page", "brief") if c.get(page)),
        ],
        [path.relative_to(results).as_posix() for path in code],
        version.find_date(),
    )
    tables.write_text(written, Path(snakemake.output.crate))


def copy_workflow(home, target):
    """Copy the rules and their scripts; return the copies."""
    copies = []
    for path in [home / "Snakefile", *sorted((home / "workflow").rglob("*"))]:
        if path.name == "Snakefile" or path.suffix in (".py", ".rst", ".smk"):
            copies.append(copy := target / path.relative_to(home))
            copy.parent.mkdir(parents=True, exist_ok=True)
            tables.write_text(path.read_text(encoding="utf-8"), copy)
    return copies


if "snakemake" in globals():
    from _job import run

    run(main, snakemake)
