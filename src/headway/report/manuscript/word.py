"""Word files: tables with a style, numbered captions and repeated heads; the same bytes each time.

A caption's number is a field (SEQ), so that Word counts on where a table is pasted.
"""

from __future__ import annotations

import io
import unicodedata
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.messages import current, t
from headway.tables import printable

if TYPE_CHECKING:
    from docx.document import Document
    from docx.table import _Cell
    from docx.text.paragraph import Paragraph

FONT = "Arial"
TEXT_PT, TABLE_PT = 11, 8
LOCALES = {"en": "en-GB", "es": "es-ES", "de": "de-DE"}
# Of A4, in millimetres.
LONG_MM, SHORT_MM, MARGIN_MM = 297, 210, 20
MOST_UPRIGHT = 5  # columns; a table of more stands on a page turned sideways
TABLE_STYLE = "Headway Table"
# Letters of a column: fewer are not given, more are not asked for.
_NARROWEST, _WIDEST = 6, 26
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
# A journal's table: a line above, one below the heads, one at the foot.
_STYLE = f"""<w:style xmlns:w="{_W}" w:type="table" w:customStyle="1" w:styleId="HeadwayTable">
<w:name w:val="{TABLE_STYLE}"/><w:basedOn w:val="TableNormal"/>
<w:uiPriority w:val="99"/><w:qFormat/>
<w:tblPr><w:tblBorders><w:top w:val="single" w:sz="8" w:space="0" w:color="000000"/>
<w:bottom w:val="single" w:sz="8" w:space="0" w:color="000000"/>
<w:insideH w:val="single" w:sz="2" w:space="0" w:color="BFBFBF"/></w:tblBorders>
<w:tblCellMar><w:left w:w="57" w:type="dxa"/><w:right w:w="57" w:type="dxa"/></w:tblCellMar>
</w:tblPr>
<w:tblStylePr w:type="firstRow"><w:rPr><w:b/></w:rPr><w:tcPr><w:tcBorders>
<w:bottom w:val="single" w:sz="6" w:space="0" w:color="000000"/></w:tcBorders></w:tcPr>
</w:tblStylePr>
</w:style>"""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table in words.

    Attributes
    ----------
    caption
        Without its number.
    heads
        Of the columns.
    rows
        A text for each column.
    bold
        Rows, by their number, that are set in bold.
    notes
        Below the table.
    """

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    bold: frozenset[int] = frozenset()
    notes: Sequence[str] = ()


def is_wide(grid: Grid) -> bool:
    """Whether a table stands on a page turned sideways."""
    return len(grid.heads) > MOST_UPRIGHT


def start_document(title: str, *, wide: bool = False) -> Document:
    """Start a document in the language in use, without the date of a clock or a writer's name."""
    import docx
    from docx.oxml import parse_xml
    from docx.shared import Pt, RGBColor

    document = docx.Document()
    _forget_template(document)
    document.core_properties.title = clean(title)
    document.core_properties.language = LOCALES[current()]
    styles: Any = document.styles
    _set_language(styles.element)
    for name in ("Normal", "Caption", "Title", "Heading 1", "Heading 2", "List Number"):
        _set_font(styles[name], FONT)
        styles[name].font.color.rgb = RGBColor(0, 0, 0)
    styles["Normal"].font.size = Pt(TEXT_PT)
    styles["Title"].font.size = Pt(16)
    styles["Heading 1"].font.size = Pt(13)
    styles["Caption"].font.size = Pt(9)
    styles["Caption"].font.bold = True
    styles["Caption"].paragraph_format.keep_with_next = True
    own = styles.add_style("Table Text", 1)
    own.base_style = styles["Normal"]
    own.font.size = Pt(TABLE_PT)
    own.paragraph_format.space_after = own.paragraph_format.space_before = Pt(1)
    styles.element.append(parse_xml(_STYLE))
    _turn(document.sections[0], wide=wide)
    return document


def add_text(document: Document, text: str, style: str = "Normal", gaps: Sequence[str] = ()) -> Any:
    """Add a paragraph; what is still to be written (`gaps`) is marked in colour and by brackets."""
    paragraph = document.add_paragraph(style=style)
    add_runs(paragraph, text, gaps)
    return paragraph


def add_runs(paragraph: Paragraph, text: str, gaps: Sequence[str] = ()) -> None:
    """Add text to a paragraph, with its gaps marked."""
    from docx.enum.text import WD_COLOR_INDEX

    for part, is_gap in split_gaps(clean(text), [clean(g) for g in gaps]):
        run = paragraph.add_run(part)
        if is_gap:
            run.font.highlight_color = WD_COLOR_INDEX.YELLOW
        if _runs_right_to_left(part):
            run.font.rtl = True


def split_gaps(text: str, gaps: Sequence[str]) -> list[tuple[str, bool]]:
    """Split a text into pieces, and say of each whether it is one of the gaps.

    Examples
    --------
    >>> split_gaps("We [say how] did.", ["[say how]"])
    [('We ', False), ('[say how]', True), (' did.', False)]
    """
    pieces = [(text, False)]
    for gap in dict.fromkeys(g for g in gaps if g):
        split: list[tuple[str, bool]] = []
        for piece, is_gap in pieces:
            if is_gap:
                split.append((piece, True))
                continue
            for i, part in enumerate(piece.split(gap)):
                split += [(gap, True)] * (i > 0) + [(part, False)]
        pieces = split
    return [(piece, is_gap) for piece, is_gap in pieces if piece]


def add_grid(document: Document, grid: Grid, number: int) -> None:
    """Add a table with its numbered caption; a wide one turns its page sideways."""
    from docx.oxml.ns import qn

    wide = is_wide(grid)
    _turn_page(document, wide)
    _add_caption(document, grid.caption, number)
    table: Any = document.add_table(1 + len(grid.rows), len(grid.heads), style=TABLE_STYLE)
    table.autofit = False
    properties = table._tbl.tblPr
    # What a screen reader says of the table before it reads the cells.
    spoken = properties.makeelement(qn("w:tblCaption"), {qn("w:val"): clean(grid.caption)})
    properties.append(spoken)
    room = (LONG_MM if wide else SHORT_MM) - 2 * MARGIN_MM
    widths = share_room([grid.heads, *grid.rows], room)
    for column, mm in zip(table.columns, widths, strict=True):
        column.width = _mm(mm)
    for i, texts in enumerate([grid.heads, *grid.rows]):
        row = table.rows[i]
        _keep_whole(row, head=i == 0)
        for cell, text, mm in zip(row.cells, texts, widths, strict=True):
            cell.width = _mm(mm)
            _fill(cell, text, bold=i == 0 or i - 1 in grid.bold)
    for note in grid.notes:
        add_text(document, note, "Table Text")
    document.add_paragraph()


def share_room(rows: Sequence[Sequence[str]], room: float) -> list[float]:
    """Share the width of a page among columns by what they hold.

    Examples
    --------
    >>> [round(x) for x in share_room([["a", "b" * 40]], 100)]
    [19, 81]
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    longest = [max(map(len, column)) for column in columns]
    words = [max((len(w) for x in column for w in x.split()), default=0) for column in columns]
    # A blank more than its longest word, so that a head in bold does not break.
    asked = [max(n, word + 2) for n, word in zip(longest, words, strict=True)]
    wanted = [min(max(n, _NARROWEST), _WIDEST) for n in asked]
    return [room * n / sum(wanted) for n in wanted]


def save(document: Document, path: Path) -> None:
    """Write a document; its parts carry no time of writing."""
    made = io.BytesIO()
    document.save(made)
    made.seek(0)
    with zipfile.ZipFile(made) as parts, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in parts.namelist():
            part = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            part.compress_type, part.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            part.create_system = 3
            out.writestr(part, parts.read(name))


def clean(text: str) -> str:
    """Leave out what XML cannot hold."""
    return printable(text).replace("\ufffe", "").replace("\uffff", "")


def _forget_template(document: Document) -> None:
    """Drop what the template says of itself: its writer, its dates and its picture."""
    core = document.core_properties._element
    for child in list(core):
        core.remove(child)
    package = document.part.package
    for id, rel in list(package.rels.items()):
        if rel.reltype.endswith("/thumbnail"):
            del package.rels[id]


def _set_language(styles: Any) -> None:
    from docx.oxml.ns import qn

    found = styles.find(f".//{qn('w:docDefaults')}//{qn('w:lang')}")
    found.set(qn("w:val"), LOCALES[current()])


def _set_font(style: Any, name: str) -> None:
    """Set a style's font for every script, in place of the theme's."""
    from docx.oxml.ns import qn

    style.font.name = name
    fonts = style.element.rPr.rFonts
    for script in ("ascii", "hAnsi", "cs", "eastAsia"):
        fonts.attrib.pop(qn(f"w:{script}Theme"), None)
        fonts.set(qn(f"w:{script}"), name)


def _mm(value: float) -> Any:
    from docx.shared import Mm

    return Mm(value)


def _turn(section: Any, *, wide: bool) -> None:
    from docx.enum.section import WD_ORIENT

    section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
    long, short = _mm(LONG_MM), _mm(SHORT_MM)
    section.page_width, section.page_height = (long, short) if wide else (short, long)
    for side in ("left_margin", "right_margin", "top_margin", "bottom_margin"):
        setattr(section, side, _mm(MARGIN_MM))


def _turn_page(document: Document, wide: bool) -> None:
    from docx.enum.section import WD_ORIENT, WD_SECTION

    now = document.sections[-1]
    if (now.orientation == WD_ORIENT.LANDSCAPE) != wide:
        _turn(document.add_section(WD_SECTION.NEW_PAGE), wide=wide)


def _add_caption(document: Document, caption: str, number: int) -> None:
    label = t("manuscript.table")
    paragraph: Any = document.add_paragraph(f"{label} ", style="Caption")
    for kind, text in (
        ("begin", ""),
        ("", rf" SEQ {label} \* ARABIC "),
        ("separate", ""),
        ("text", str(number)),
        ("end", ""),
    ):
        _add_field_part(paragraph, kind, text)
    add_runs(paragraph, f". {caption}")


def _add_field_part(paragraph: Any, kind: str, text: str) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    run = paragraph.add_run(text if kind == "text" else "")
    if kind == "text":
        return
    part: Any = OxmlElement("w:fldChar" if kind else "w:instrText")
    if kind:
        part.set(qn("w:fldCharType"), kind)
    else:
        part.set(qn("xml:space"), "preserve")
        part.text = text
    run._r.append(part)


def _keep_whole(row: Any, *, head: bool) -> None:
    """Keep a row on one page; the heads come again on each."""
    from docx.oxml import OxmlElement

    properties = row._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))
    if head:
        properties.append(OxmlElement("w:tblHeader"))


def _fill(cell: _Cell, text: str, *, bold: bool) -> None:
    paragraph = cell.paragraphs[0]
    paragraph.style = "Table Text"
    add_runs(paragraph, text)
    for run in paragraph.runs:
        run.bold = bold or None


def _runs_right_to_left(text: str) -> bool:
    """Whether a text's first letter with a direction is one of Arabic or Hebrew."""
    ways = (unicodedata.bidirectional(letter) for letter in text)
    return next((way for way in ways if way in ("L", "R", "AL")), "L") != "L"
