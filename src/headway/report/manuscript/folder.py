"""The manuscript folder of a review that is built: everything in it, from its tables alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headway import config, tables
from headway.figures import theme
from headway.figures.journal import LEAST_PT, PAGE_MM, Printed, save_for_journal
from headway.figures.review.draw import draw_review
from headway.figures.review.sheet import JOURNAL
from headway.messages import decimal, speaking, t
from headway.report.manuscript import word
from headway.report.manuscript.contents import list_absent, list_grids
from headway.report.manuscript.methods import Methods, describe_methods
from headway.report.manuscript.references import (
    list_trials,
    write_bib,
    write_entry,
    write_ris,
)
from headway.tables import printable, replacing_folder, write_text
from headway.version import describe

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Review

FOLDER = "manuscript"
FLOW = "flow"
# The script and the effects that it reads.
_COPIED = {"effects.csv": "data.csv", "reproduce.R": "reproduce.R", "metafor.csv": "metafor.csv"}
# Individual data have no place in a manuscript.
_LEFT = "ipd"


def read_tables(*folders: Path) -> dict[str, pd.DataFrame]:
    """Read the tables of a review from the folders of its processed data and its results."""
    return {
        name: tables.read_csv(name, folder / f"{name}.csv")
        for folder in folders
        for name in tables.TABLES
        if name != _LEFT and (folder / f"{name}.csv").is_file()
    }


def write_manuscript(processed: Path, results: Path, language: str | None = None) -> Path:
    """Write the folder that goes to a journal, and return its path.

    Parameters
    ----------
    processed, results
        The review's folders of processed data and of results, as the workflow makes them.
    language
        Of the tables, the paragraph, the figures and the README; None: the review's own.

    Raises
    ------
    MissingPackageError
        Where python-docx, pypdf or Pillow is not installed.
    """
    review = config.read_review(processed / "review.json")
    read = read_tables(processed, results)
    folder = results / FOLDER
    with speaking(language or review.language), replacing_folder(folder) as part:
        methods = describe_methods(read, review)
        _write_tables(part / "tables.docx", read, review)
        _write_methods(part / "methods.docx", methods, review)
        drawn = _draw(part, read, review)
        works = [*list_trials(read, review), *methods.works]
        write_text(write_bib(works), part / "references.bib")
        (part / "references.ris").write_bytes(write_ris(works).encode("utf-8"))
        for name, copy in _COPIED.items():
            (part / copy).write_bytes((results / name).read_bytes())
        digest = hashlib.sha256((results / "effects.csv").read_bytes()).hexdigest()
        write_text(describe_files(review, methods, drawn, digest), part / "README")
    theme.remove_others(folder / "figures", {figure.name for figure in drawn})
    return folder


def _draw(part: Path, read: Mapping[str, pd.DataFrame], review: Review) -> list[Printed]:
    folder = part / "figures"
    folder.mkdir()
    drawings = draw_review(read, review, JOURNAL)
    drawn = [
        save_for_journal("prisma" if name == FLOW else name, drawing, folder)
        for name, drawing in drawings.items()
    ]
    if FLOW in drawings:
        (part / "prisma.svg").write_bytes((folder / "prisma.svg").read_bytes())
    return drawn


def _write_tables(path: Path, read: Mapping[str, pd.DataFrame], review: Review) -> None:
    grids = list_grids(read, review)
    wide = any(word.is_wide(grid) for grid in grids[:1])
    document = word.start_document(review.title, wide=wide)
    word.add_text(document, review.title, "Title")
    for gap in list_absent(read):
        word.add_text(document, gap, gaps=[gap])
    for number, grid in enumerate(grids, start=1):
        word.add_grid(document, grid, number)
    word.save(document, path)


def _write_methods(path: Path, methods: Methods, review: Review) -> None:
    document = word.start_document(review.title)
    word.add_text(document, t("manuscript.methods"), "Heading 1")
    word.add_text(document, methods.text, gaps=methods.gaps)
    if methods.works:
        word.add_text(document, t("manuscript.references"), "Heading 1")
    for work in methods.works:
        word.add_text(document, write_entry(work), "List Number")
    if methods.gaps:
        word.add_text(document, t("manuscript.to_fill"), "Table Text")
    word.save(document, path)


def describe_files(review: Review, methods: Methods, drawn: Sequence[Printed], digest: str) -> str:
    """Write the README: what each file is, how it was made, and what is left to write."""
    title = printable(review.title)
    lines = [t("manuscript_readme.title", title=title), ""]
    lines.append(t("manuscript_readme.made", version=describe(), name=review.id))
    lines += [t("manuscript_readme.from_tables", digest=digest)]
    lines += [t("manuscript_readme.again"), ""]
    flow = any(figure.name == "prisma" for figure in drawn)
    files = {
        "tables.docx": t("manuscript_readme.tables"),
        "methods.docx": t("manuscript_readme.methods"),
        "figures/": t("manuscript_readme.figures"),
        **({"prisma.svg": t("manuscript_readme.prisma")} if flow else {}),
        "references.bib, references.ris": t("manuscript_readme.references"),
        "data.csv": t("manuscript_readme.data"),
        "reproduce.R, metafor.csv": t("manuscript_readme.r_script"),
    }
    lines += [t("manuscript_readme.files"), ""]
    lines += [f"  {name}\n    {what}" for name, what in files.items()]
    if not flow:
        lines.append(f"  {t('manuscript_readme.no_prisma')}")
    if drawn:
        lines += ["", t("manuscript_readme.sizes"), ""]
        lines += [f"  {_describe_figure(figure)}" for figure in drawn]
    if methods.gaps:
        lines += ["", t("manuscript_readme.to_write"), ""]
        lines += [f"  {gap}" for gap in dict.fromkeys(methods.gaps)]
    return "\n".join(lines) + "\n"


def _describe_figure(figure: Printed) -> str:
    remarks = []
    if figure.least_pt < LEAST_PT - 0.05:
        remarks.append(t("manuscript_readme.small_type"))
    if figure.height_mm > PAGE_MM:
        remarks.append(t("manuscript_readme.tall", page=PAGE_MM))
    sizes = decimal(f"{figure.width_mm:.0f} × {figure.height_mm:.0f}, {figure.least_pt:.1f}")
    text = f"figures/{figure.name}: {sizes}"
    if figure.lost:
        remarks.append(figure.lost)
    if remarks:
        text += f" ({'; '.join(remarks)})"
    return f"{text}\n    {figure.title}. {figure.caption}"
