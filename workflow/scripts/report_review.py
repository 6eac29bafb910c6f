"""Figures and page of one review."""

import json
from pathlib import Path

from headway import config, tables
from headway.figures.review import draw as figures
from headway.messages import speaking
from headway.report.review import page as report


def main(snakemake):
    """Draw and write what the tables say."""
    review = config.read_review(Path(snakemake.input.review))
    status = json.loads(Path(snakemake.input.status).read_text())
    names = [n for n in snakemake.input.keys() if n in tables.TABLES]  # noqa: SIM118
    read = {name: tables.read_csv(name, Path(snakemake.input[name])) for name in names}
    ready = status["state"] == "ready"
    folder = Path(snakemake.output.figures)
    folder.mkdir(parents=True, exist_ok=True)
    with speaking(review.language):
        drawn = figures.draw_review(read, review) if ready else {}
        saved = figures.save_review(drawn, folder)
    page, card = report.build(review, status, read, saved)
    tables.write_text(page, Path(snakemake.output.page))
    tables.write_text(json.dumps(card, indent=1) + "\n", Path(snakemake.output.card))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake)
