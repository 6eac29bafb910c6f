"""Letters of every script: what the house's font lacks is drawn with a font of the machine.

DejaVu Sans comes with matplotlib and holds Latin, Greek, Cyrillic, Hebrew and Arabic. Chinese,
Japanese, Korean, Thai and Indian scripts need the extra `fonts` or a font of the machine; where
there is none, a sign stands for the letters, and whoever saves the figure says which script is
missing. A box that stands for any letter is never drawn. matplotlib itself joins letters and orders
those that run from right to left (from 3.11 on).
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.ft2font import FT2Font

HOUSE = "DejaVu Sans"
# Packages of the extra `fonts`, which hold Noto fonts as files; their fonts come first.
_PACKAGES = ("cvttf_NotoSansCJK_Regular", "fontpkg_noto_sans_devanagari", "fontpkg_noto_sans_thai")
LOST = "[…]"  # stands for letters that no font holds
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # all but the line end
# Families that hold a script well, best first; any other that holds it comes after them.
_KNOWN = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans CJK TC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Nirmala UI",
    "Leelawadee UI",
    "Arial Unicode MS",
)
_NEVER = ("Last Resort", "LastResort", "Adobe Blank")  # they draw boxes, or nothing
# The beginnings of letters' names in Unicode, where they are not the script's own name.
_SCRIPTS = {"IDEOGRAPHIC": "CJK", "HALFWIDTH": "KATAKANA", "FULLWIDTH": "CJK"}


@cache
def _open(path: str) -> FT2Font:
    from matplotlib.ft2font import FT2Font

    return FT2Font(path)


@cache
def _list_letters(path: str) -> frozenset[int]:
    return frozenset(_open(path).get_charmap())


@cache
def _find_house(bold: bool) -> str:
    from matplotlib.font_manager import FontProperties, fontManager

    wanted = FontProperties(family=HOUSE, weight="bold" if bold else "normal")
    return str(fontManager.findfont(wanted))


@cache
def _list_families() -> dict[str, str]:
    """List the machine's families of upright letters with their files, the known ones first.

    Fonts that were installed after matplotlib made its own list are found too.
    """
    from matplotlib.font_manager import findSystemFonts, fontManager

    listed = {entry.fname for entry in fontManager.ttflist}
    packed = _list_packed()
    for path in sorted({*findSystemFonts(), *packed} - listed):
        try:
            fontManager.addfont(path)
        except (OSError, RuntimeError, ValueError):  # a damaged file is no font
            continue
    found: dict[str, str] = {}
    entries = [(e.fname not in packed, e.name, e.fname, e) for e in fontManager.ttflist]
    for *_, entry in sorted(entries, key=lambda e: e[:3]):
        upright = entry.style == "normal" and entry.weight in (400, "normal", "regular", "book")
        if upright and entry.name != HOUSE and not entry.name.startswith(_NEVER):
            found.setdefault(entry.name, entry.fname)
    first = {name: path for name, path in found.items() if path in packed}
    return first | {name: found[name] for name in _KNOWN if name in found} | found


def _list_packed() -> frozenset[str]:
    """List the font files of the extra `fonts`."""
    from importlib.util import find_spec

    folders = [
        Path(place)
        for spec in map(find_spec, _PACKAGES)
        if spec is not None
        for place in spec.submodule_search_locations or ()
    ]
    files = [path for folder in folders for path in folder.rglob("*.[ot]tf")]
    return frozenset(map(str, files))


def find_script(letter: str) -> str:
    """Name a letter's script by the first word of its name in Unicode, such as CJK or HANGUL.

    Signs that are no letters, such as emoji, are SYMBOL.
    """
    if unicodedata.category(letter)[0] in "SC":
        return "SYMBOL"
    word = unicodedata.name(letter, "UNKNOWN").split()[0]
    return _SCRIPTS.get(word, word)


def is_foreign(letter: str) -> bool:
    """Whether the house's font lacks a letter that is drawn at all."""
    if ord(letter) < 0x250 or unicodedata.category(letter) in ("Cf", "Cc", "Zs"):
        return False
    return ord(letter) not in _list_letters(_find_house(False))


def find_families(letters: Iterable[str]) -> tuple[list[str], set[str]]:
    """Find families for letters that the house's font lacks.

    Returns
    -------
    tuple
        Families, and the letters that none of them holds. The letters of a script come from one
        family where one holds them all, else from that which holds most.
    """
    families: list[str] = []
    lost: set[str] = set()
    by_script: dict[str, set[str]] = {}
    for letter in filter(is_foreign, letters):
        by_script.setdefault(find_script(letter), set()).add(letter)
    for script in sorted(by_script):
        left = by_script[script]
        for family in families:
            left = left - _held(family, left)
        while left:
            best = max(_list_families(), key=lambda f: len(_held(f, left)), default="")
            held = _held(best, left) if best else set()
            if not held:
                break
            families.append(best)
            left = left - held
        lost |= left
    return families, lost


def _held(family: str, letters: set[str]) -> set[str]:
    try:
        own = _list_letters(_list_families()[family])
    except (OSError, RuntimeError, ValueError):
        return set()
    return {letter for letter in letters if ord(letter) in own}


def dress(figure: Figure) -> tuple[str, ...]:
    """Give each text of a figure the fonts that its letters need.

    Returns
    -------
    tuple of str
        Scripts of which letters could not be drawn; they are replaced by `LOST`, and logged.
    """
    from matplotlib.text import Text

    for axis in _list_axes(figure):
        axis.get_ticklabels(which="both")  # they are written when they are asked for
    gone: set[str] = set()
    changed = False
    for text in figure.findobj(Text):
        content = str(text.get_text())
        families, lost = find_families(content)
        if families:
            text.set_fontfamily([HOUSE, *families])
        shown = replace_lost(content, lost)
        if shown != content:
            text.set_text(shown)
            changed = True
        gone |= lost
    for axis in _list_axes(figure) if changed else ():
        _keep_out_of_ticks(axis, gone)
    return report_lost(gone)


def _list_axes(figure: Figure) -> list[Axis]:
    return [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]


def _keep_out_of_ticks(axis: Axis, lost: set[str]) -> None:
    """Keep letters out of an axis's labels, which it writes anew whenever it is drawn."""
    from matplotlib.ticker import FuncFormatter

    own = axis.get_major_formatter()
    labels = [label.get_text() for label in axis.get_majorticklabels()]
    if any(replace_lost(label, lost) != label for label in labels):
        axis.set_major_formatter(FuncFormatter(lambda x, place: replace_lost(own(x, place), lost)))


def replace_lost(text: str, lost: Iterable[str]) -> str:
    """Write `LOST` for letters that no font holds, and a space for controls."""
    text = _CONTROLS.sub(" ", text)
    gone = "".join(map(re.escape, sorted(lost)))
    return re.sub(f"[{gone}]+(\\s+[{gone}]+)*", LOST, text) if gone else text


def report_lost(letters: Iterable[str]) -> tuple[str, ...]:
    """Log, and return, the scripts of letters that no font holds."""
    scripts = tuple(sorted({find_script(letter) for letter in letters}))
    if scripts:
        logging.getLogger(__name__).warning("no font holds these scripts: %s", list(scripts))
    return scripts


def find_files(families: Iterable[str]) -> list[Path]:
    """Find the files of families that `find_families` named."""
    return [Path(_list_families()[family]) for family in families]


# ---- widths --------------------------------------------------------------------------------------


@cache
def _advance(letter: str, bold: bool) -> float:
    """Find a letter's width in ems; letters of other fonts are as wide as they are high."""
    if unicodedata.category(letter) in ("Mn", "Cf", "Cc"):
        return 0.0
    if is_foreign(letter):
        return 1.0
    font = _open(_find_house(bold))
    font.set_size(100, 72)
    return float(font.load_char(ord(letter)).linearHoriAdvance) / 65536 / 100


def measure(text: str, size: float, bold: bool = False) -> float:
    """Find how wide a line of text is drawn, in inches; `size` is in points."""
    return sum(_advance(letter, bold) for letter in text) * size / 72


def wrap(text: str, inches: float, size: float, bold: bool = False) -> list[str]:
    """Break a text into lines no wider than `inches`; words that are wider break within."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if measure(joined, size, bold) <= inches:
            line = joined
            continue
        if line:
            lines.append(line)
        line = ""
        for letter in word:
            if line and measure(line + letter, size, bold) > inches:
                lines.append(line)
                line = ""
            line += letter
    return [*lines, line] if line else lines
