"""Disclosure control, figures, brief and page of one clinic."""

import json
from pathlib import Path

from headway import config, disclosure, tables
from headway.figures import theme
from headway.figures.clinic import brief as pictures
from headway.figures.clinic import draw as figures
from headway.report.clinic import brief, brief_pages, patients
from headway.report.clinic import page as report


def main(snakemake):
    """Release the tables, then draw and write from nothing but what was released."""
    clinic = config.read_clinic(Path(snakemake.input.clinic))
    status = json.loads(Path(snakemake.input.status).read_text())
    names = disclosure.RULES
    found = {name: tables.read_csv(name, Path(snakemake.input[name])) for name in names}
    preset = disclosure.choose_preset(clinic.disclosure)
    released = disclosure.release(found, preset)
    for name in names:
        tables.write_csv(released[name], Path(snakemake.output[name]))
    drawn = figures.draw_clinic(released, clinic, preset) if status["state"] == "ready" else {}
    saved = theme.save(drawn, Path(snakemake.output.figures))
    drawn = pictures.draw_brief(released, clinic, preset) if status["state"] == "ready" else {}
    own = theme.save(drawn, Path(snakemake.output.figures))
    content = brief.write_brief(clinic, status, released, preset)
    tables.write_text(brief_pages.write_html(content, own), Path(snakemake.output.brief))
    with tables.replacing(Path(snakemake.output.brief_pdf)) as part:
        part.write_bytes(brief_pages.write_pdf(content, own))
    # No output of the rule: it is there under one preset, and must not stay under another.
    folder = Path(snakemake.output.page).parent
    patients.remove_patients(folder)
    if preset.name == "internal" and status["state"] == "ready":
        found_people = tables.read_csv("follow_up", Path(snakemake.input.follow_up))
        patients.write_patients(found_people, clinic, folder)
    page, card = report.build(clinic, status, released, saved, preset)
    tables.write_text(page, Path(snakemake.output.page))
    tables.write_text(json.dumps(card, indent=1) + "\n", Path(snakemake.output.card))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake, private=True)
