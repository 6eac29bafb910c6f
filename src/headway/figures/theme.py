"""One look for all figures, and how they are saved: byte for byte the same on every run."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.figures import fonts
from headway.messages import (
    Message,
    decimal,
    is_missing,
    keep_digits,
    say,
    t,
    term,
    write_integer,
    write_number,
    write_significant,
)
from headway.tables import make_name, printable, replacing, write_text

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), dark enough to be told apart in grey; shape and text carry the meaning too.
INK, GREY, FAINT = "#1b1f24", "#5b6570", "#c9d0d6"
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
PNG_DPI = 160
_RC: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 9,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,
    "figure.facecolor": "white",
    "svg.hashsalt": "headway",
    "text.parse_math": False,  # a name with two dollar signs is drawn as it is typed
    # Letters as outlines: a page looks the same where the font is missing. The alt text and the
    # tables beside a figure carry its words for those who do not see it.
    "svg.fonttype": "path",
}

# What the marks of a figure say when a pointer rests on them, artist by artist.
_TIPS: WeakKeyDictionary[Any, list[Sequence[str]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with its title, the alt text and the caption."""

    figure: Figure
    title: str
    alt: str
    caption: str
    wide: bool = False

    def _repr_png_(self) -> tuple[bytes, dict[str, str]]:
        """Show the figure in a notebook, with its alt text."""
        stream = io.BytesIO()
        with style():
            fonts.dress(self.figure)
            _write_png(self.figure, stream)
        return stream.getvalue(), {"alt": printable(self.alt)}


def name_parts(drawings: Sequence[Drawing]) -> list[Drawing]:
    """Say in the titles of several parts of one figure which part each is."""
    n = len(drawings)
    if n == 1:
        return list(drawings)
    return [
        replace(one, title=t("figure.part", title=one.title, i=i, of=n))
        for i, one in enumerate(drawings, start=1)
    ]


def split_rows(heights: Sequence[float], most: float) -> list[slice]:
    """Split rows into runs that are together no higher than `most`.

    Examples
    --------
    >>> split_rows([1, 1, 1], 2)
    [slice(0, 2, None), slice(2, 3, None)]
    """
    starts, total = [0], 0.0
    for i, height in enumerate(heights):
        if i > starts[-1] and total + height > most:
            starts.append(i)
            total = 0.0
        total += height
    ends = [*starts[1:], len(heights)]
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)]


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved figure, ready to be written into a page."""

    name: str
    title: str
    alt: str
    caption: str
    svg: str
    wide: bool = False

    @property
    def id(self) -> str:
        """The name as a part of a path and as an id of a page."""
        return make_name(self.name)


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure in the house style; sizes in inches."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_RC):
        return Figure(figsize=(width, height), layout=None)


def style() -> Any:
    """Draw in the house style, as a context."""
    import matplotlib as mpl

    return mpl.rc_context(_RC)


def stamp(figure: Figure, text: str) -> None:
    """Write a stamp into the upper right corner, clear of the data."""
    if text:
        figure.text(
            0.995, 0.995, text, ha="right", va="top", fontsize=9, fontweight="bold", color=ORANGE
        )


def write_commas(figure: Figure) -> None:
    """Write the numbers at the axes with a decimal comma, where the language in use has one.

    Done once a figure is drawn, since ticks are written when it is saved.
    """
    from matplotlib.ticker import FuncFormatter, ScalarFormatter

    if decimal(".") == ".":
        return

    def with_comma(formatter: FuncFormatter) -> FuncFormatter:
        def write(x: float, place: int | None) -> str:
            label = formatter(x, place)  # a name with a full stop in it is no number
            return label.replace(".", ",") if re.fullmatch(r"\W*\d+\.\d+\W*", label) else label

        return FuncFormatter(write)

    class Commas(ScalarFormatter):
        """Chooses its digits as the usual one does."""

        def __call__(self, x: float, pos: int | None = None) -> str:
            return super().__call__(x, pos).replace(".", ",")

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            found = axis.get_major_formatter()
            if type(found) is ScalarFormatter:
                axis.set_major_formatter(Commas())
            elif type(found) is FuncFormatter:
                axis.set_major_formatter(with_comma(found))


def tip(axes: Axes, artist: Artist, texts: Sequence[str]) -> None:
    """Give an artist's marks, in their order, a text that a browser shows at the pointer.

    The text holds no more than the figure's alt text and tables: released numbers.
    """
    told = _TIPS.setdefault(axes.figure, [])
    artist.set_gid(f"tip_{len(told)}")
    told.append(list(texts))


def say_value(
    value: float, low: float, high: float, n: float | None = None, digits: int = 1
) -> str:
    """Write a value with its limits and, unless None, its number of people, for a tooltip."""
    text = write_number(value, digits, (value, low, high))
    if not is_missing(low) and not is_missing(high):
        digits = keep_digits(digits, value, low, high)
        ends = (write_number(end, digits, (value, low, high)) for end in (low, high))
        limits = t("common.low_to_high", **dict(zip(("low", "high"), ends, strict=True)))
        text += f" ({limits})"
    if n is None:
        return text
    return f"{text}, " + (t("common.n_hidden") if is_missing(n) else f"n {write_integer(n)}")


def quiet(axes: Axes) -> None:
    """Take the frame and the ticks away, for axes that hold text."""
    axes.set_axis_off()


def save(drawings: Mapping[str, Drawing], folder: Path) -> list[Saved]:
    """Save every figure as SVG and PNG.

    Parameters
    ----------
    drawings
        Name -> drawing.
    folder
        Where <id>.svg and <id>.png are written; it is made if it is missing.

    Returns
    -------
    list of Saved
    """
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    for name, drawing in drawings.items():
        id, title, alt = make_name(name), printable(drawing.title), printable(drawing.alt)
        with style():
            caption = drawing.caption + say_missing(fonts.dress(drawing.figure))
            with replacing(folder / f"{id}.png") as part:
                svg = _draw(drawing.figure, part)
        svg = _prepare(svg, id, title, alt, _TIPS.get(drawing.figure, ()))
        write_text(svg, folder / f"{id}.svg")
        saved.append(Saved(name, title, alt, caption, svg, drawing.wide))
    return saved


def remove_others(folder: Path, names: Collection[str]) -> None:
    """Remove the files of figures, but for those of these names, that an earlier run left."""
    for path in folder.glob("*"):
        if path.stem not in names:
            path.unlink(missing_ok=True)


def _draw(figure: Figure, png: Path) -> str:
    """Write a figure as PNG, and give its SVG; it is drawn once where it holds no picture."""
    from headway.figures import both

    if both.can_draw(figure):
        return both.draw(figure, png, PNG_DPI)
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    _write_png(figure, png)
    return stream.getvalue()


def _write_png(figure: Figure, target: Path | IO[bytes]) -> None:
    figure.savefig(target, format="png", dpi=PNG_DPI, metadata={"Software": None})


def say_missing(scripts: Sequence[str]) -> str:
    """Say that letters of some scripts are not drawn, and what to install; nothing if none are."""
    if not scripts:
        return ""
    names = [term("script", script) for script in scripts]
    return " " + say(Message("figure.no_font", scripts=names, sign=fonts.LOST))


def _prepare(svg: str, name: str, title: str, alt: str, tips: Sequence[Sequence[str]] = ()) -> str:
    """Make an SVG fit to stand beside others on a page.

    Identifiers get the figure's name as a prefix, since browsers look up the first of equal ones;
    title and description are for screen readers; the size is left to the page.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = _round_places(svg)
    for i, texts in enumerate(tips):
        svg = _write_tips(svg, f'<g id="{name}-tip_{i}">', [escape(printable(x)) for x in texts])
    head, rest = svg.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', head)
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{view.group() if view else ""} role="img" '
        f'aria-labelledby="{name}-title {name}-desc"'
    )
    words = (
        f'\n<title id="{name}-title">{escape(title)}</title>'
        f'\n<desc id="{name}-desc">{escape(alt)}</desc>'
    )
    return f"{head}>{words}{rest}"


def _write_tips(svg: str, start: str, texts: Sequence[str]) -> str:
    """Write a title into a group of marks, or into each of its marks where it holds several."""
    before, found, rest = svg.partition(start)
    if not found:  # nothing of it was drawn
        return svg
    if len(texts) == 1:
        return f"{before}{start}<title>{texts[0]}</title>{rest}"
    depth = 1
    for tag in re.finditer(r"<(/?)g\b", rest):
        depth += -1 if tag.group(1) else 1
        if depth == 0:
            break
    group, rest = rest[: tag.start()], rest[tag.start() :]
    marks = re.split(r"(<use [^>]*)/>", group)
    if len(marks) // 2 != len(texts):  # marks beyond the axes were left out: no wrong number
        return svg
    for i, text in enumerate(texts):
        marks[2 * i + 1] += f"><title>{text}</title></use>"
    return f"{before}{start}{''.join(marks)}{rest}"


def _round_places(svg: str) -> str:
    """Write places to a hundredth of a point, which no eye can see; scales stay as they are."""

    def shorten(number: re.Match[str]) -> str:
        return f"{float(number.group()):.2f}".rstrip("0").rstrip(".")

    def attribute(found: re.Match[str]) -> str:
        name, value = found.groups()
        return f'{name}="{re.sub(r"-?[0-9]+[.][0-9]{3,}", shorten, value)}"'

    svg = re.sub(r'\b(d|x|y|points)="([^"]*)"', attribute, svg)
    return re.sub(
        r"translate\(([^)]*)\)",
        lambda m: "translate(" + re.sub(r"-?[0-9]+[.][0-9]{3,}", shorten, m.group(1)) + ")",
        svg,
    )


def write_fixed(value: float, digits: int = 1) -> str:
    """Write a number with so many decimals and no more, without a sign on zero."""
    text = f"{abs(value):.{digits}f}"
    return decimal(f"−{text}" if value < 0 and float(text) else text)


def find_ratio_ticks(low: float, high: float) -> list[float]:
    """Choose round ratios between two limits of a log axis: three to six where there are any."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    best: list[float] = []
    for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0),
                  tuple(i / 10 for i in range(10, 100))):  # fmt: skip
        ticks = [float(f"{s * 10.0**d:.3g}") for d in decades for s in steps]
        ticks = [x for x in ticks if low <= x <= high]
        if len(ticks) > 6:
            # Of many decades every second, third ... one.
            best = best or ticks[:: -(-len(ticks) // 6)]
            break
        best = ticks
    return best


def set_ratio_axis(axes: Axes, low: float, high: float, *, which: Literal["x", "y"] = "x") -> None:
    """Make an axis a log axis of ratios with round ticks."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    if which == "x":
        axes.set_xscale("log")
        axes.set_xlim(low, high)
    else:
        axes.set_yscale("log")
        axes.set_ylim(low, high)
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(find_ratio_ticks(low, high)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda x, _: decimal(f"{x:g}")))


def write_effect(value: float, ratio: bool = False) -> str:
    """Write an effect or its limit with two decimals, or more where that would leave one digit.

    A ratio is never 0: below a millionth it is said to be below that. Large ones get three digits.
    """
    if ratio and 0 <= value < 1e-6:
        return "< " + decimal("0.000001")
    if 1e4 <= abs(value) < math.inf:
        return write_significant(value) if abs(value) < 1e7 else f"{value:.1e}".replace("-", "−")
    small = ratio and value < 0.1
    return write_number(value, 1 - math.floor(math.log10(value)) if small else 2)


def write_interval(value: float, low: float, high: float, ratio: bool = False) -> str:
    """Write an effect with its limits; the limits alone where `value` is missing.

    Those of a difference get equal decimals, as on the page; of a ratio each has its own, since
    what counts there is how many times.
    """
    between = "; " if decimal(".") == "," else ", "
    three = (value, low, high)
    alike = not ratio and all(not abs(x) >= 1e4 for x in three)
    shown, first, last = (
        write_number(x, 2, three) if alike else write_effect(x, ratio) for x in three
    )
    ends = f"[{first}{between}{last}]"
    return ends if math.isnan(value) else f"{shown} {ends}"


def read_column(values: ArrayLike, name: str, n: int | None = None) -> NDArray[np.float64]:
    """Take numbers one per row as an array."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or (n is not None and array.size != n):
        raise ValueError(f"{name} must hold one number per row")
    return array


def write_beside(
    axes: Any, side: float, y: float, text: str, align: str, shift: float, weight: str
) -> None:
    """Write text beside the axes at a height of the data."""
    axes.annotate(
        text, (side, y), xycoords=("axes fraction", "data"), xytext=(shift, 0),
        textcoords="offset points", ha=align, va="center", fontsize=8.5, fontweight=weight,
        annotation_clip=False,
    )  # fmt: skip


def prepare() -> None:
    """Draw a figure for nobody: fonts are found, and rules of drawing read, before the first."""
    from headway.figures import both

    with style():
        figure = new_figure(2.0, 2.0)
        axes = figure.add_axes((0.2, 0.2, 0.7, 0.6))
        axes.plot([0, 1], [0, 1], marker="o")
        letters = "".join(map(chr, [*range(33, 127), *range(161, 256)]))
        axes.set_title(letters)
        axes.set_xlabel(letters)
        both.draw(figure, io.BytesIO(), PNG_DPI)
