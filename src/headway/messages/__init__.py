"""Sentences: an id with its values, in the reader's language. The only place where one is made.

A table carries codes and values. Where it says more than a code can, it carries a message: the id
of an entry of the catalogue with the values of its places, as text (`Message`). A page asks `say`
for the sentence of such a cell, or `t` for an entry by its id. No room reads a sentence back.

The catalogue stands in `catalogue/`, a file for each family of ids. An entry holds its text in
every language, with `{place}` for a value, `{place:1}` for a number with one decimal, `{place:3g}`
for one of three significant digits, `{place:signed}` for one that shows + as well,
`{place:count}` for one with blanks between thousands (places `n`, `of` and `all` have them
anyway), `{place:and}` for a list; or it is a mapping of `one`, `other` and `hidden` by the value of
its place `n` (`hidden`: the number was withheld). Plural rules of a library are not needed for
that: English, Spanish and German all tell one from other numbers alone.
"""

from __future__ import annotations

import json
import math
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

LANGUAGES = ("en", "es", "de")
# Languages that write 1,5.
_DECIMAL_COMMA = ("es", "de")
_AND = {"en": " and ", "es": " y ", "de": " und "}
CATALOGUE = Path(__file__).with_name("catalogue")
MISSING = "–"

_language: ContextVar[str] = ContextVar("language", default="en")
# Whether the numbers that are written were rounded for release.
_rounded: ContextVar[bool] = ContextVar("rounded", default=False)
_LARGEST = 1e9  # what is written in full; a limit beyond it says no more than that
_SAME = 1e-9  # numbers that agree to nine decimals are one number
_COUNTS = frozenset({"n", "of", "all"})  # places of people, rows and other things that are counted
_BETWEEN = re.compile(r"[^a-z0-9]+")
# Text that was to be said in another language and is no message; tests read it.
missed: set[tuple[str, str]] = set()
_ID = re.compile(r"[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)+")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Say everything within the block in a language.

    Raises
    ------
    ValueError
        If there is no catalogue for it.
    """
    if language not in LANGUAGES:
        raise ValueError(f"no catalogue for the language: {language}")
    before = _language.set(language)
    try:
        yield
    finally:
        _language.reset(before)


@contextmanager
def writing_released(rounded: bool = True) -> Iterator[None]:
    """Write every number within the block with the digits that it was released with."""
    before = _rounded.set(rounded)
    try:
        yield
    finally:
        _rounded.reset(before)


def writes_released() -> bool:
    """Whether the numbers that are written were rounded for release."""
    return _rounded.get()


def keep_digits(digits: int, *values: Any) -> int:
    """Find with how many decimals numbers are written that were asked for with `digits`.

    Numbers that were rounded for release (`writing_released`) get no more decimals than the one
    of them that holds most, so that no zero is padded; one decimal stays where any was asked for.
    Other numbers get what was asked for.
    """
    if not _rounded.get() or digits < 1:
        return digits
    finite = [float(v) for v in values if not is_missing(v) and not math.isinf(v)]
    for fewer in range(1, digits):
        if all(abs(round(v, fewer) - v) < _SAME for v in finite):
            return fewer
    return digits


def current() -> str:
    """Return the code of the language in use (BCP 47)."""
    return _language.get()


# ---- numbers -------------------------------------------------------------------------------------


def decimal(text: str) -> str:
    """Write a number's decimal sign as the language does."""
    return text.replace(".", ",") if current() in _DECIMAL_COMMA else text


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing."""
    if value is None:
        return True
    try:
        return math.isnan(value)
    except TypeError:
        return not isinstance(value, str) and bool(value != value)


def write_number(value: Any, digits: int = 2, beside: Sequence[Any] = ()) -> str:
    """Write a number with a minus sign, without a sign on zero; a small one is never 0.

    `beside` holds the numbers that it stands with, such as its limits: they get equal decimals,
    up to two more than asked for, so that the smallest of them is not 0. Of numbers that were
    rounded for release no decimal is written that was not released; one beyond `_LARGEST` is
    written as beyond it.
    """
    if is_missing(value):
        return MISSING
    value = float(value)
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) >= _LARGEST:
        return ">10⁹" if value > 0 else "<−10⁹"
    asked, digits = digits, keep_digits(digits, value, *beside)
    if len(beside):
        digits = _show_smallest(digits, value, *beside)
    if 1e-6 < abs(value) < 0.5 * 10**-digits:  # small but not zero; below that it is rounding
        digits = min(6, 1 - math.floor(math.log10(abs(value))))
        if _rounded.get():
            digits = next(
                (d for d in range(asked, 3) if abs(round(value, d) - value) < _SAME), asked
            )
    text = f"{abs(value):.{digits}f}"
    return decimal(f"−{text}" if value < 0 and float(text) else text)


def _show_smallest(digits: int, *values: Any) -> int:
    """Find the decimals with which no number that is not 0 is written as 0, within two more."""
    known = [abs(float(v)) for v in values if not is_missing(v)]
    small = [v for v in known if v > 1e-6 and not round(v, digits)]
    if not small:
        return digits
    more = min(digits + 2, -math.floor(math.log10(min(small))))
    if _rounded.get() and any(abs(round(v, more) - v) > _SAME for v in known):
        return digits
    return more


def write_significant(value: Any, digits: int = 3) -> str:
    """Write a number with significant digits, never in powers of ten from one up."""
    text = f"{float(value):.{digits}g}"
    if "e+" in text:
        text = f"{float(text):.0f}"
    return decimal(text.replace("-", "−"))


def write_integer(value: Any) -> str:
    """Write a count."""
    if is_missing(value):
        return MISSING
    return f"{round(float(value)):,}".replace(",", " ").replace("-", "−")


# ---- messages ------------------------------------------------------------------------------------


class Message(str):
    """An id of the catalogue with values for its places: text that a cell of a table can hold.

    Values are numbers, text that is shown as it is (a clinic's own label), other messages, or
    lists of these. As text it reads `id`, or `id{"place": value}` in JSON.

    Examples
    --------
    >>> Message("people.lost", n=3)
    'people.lost{"n":3}'
    """

    __slots__ = ("id", "values")
    id: str
    values: dict[str, Any]

    def __new__(cls, id: str, /, **values: Any) -> Message:
        """Put an id and its values together."""
        plain = {place: _simplify(value) for place, value in values.items()}
        text = id
        if plain:
            text += json.dumps(_encode(plain), ensure_ascii=False, separators=(",", ":"))
        made = super().__new__(cls, text)
        made.id, made.values = id, plain
        return made

    def __reduce__(self) -> Any:
        """Pickle by the text, which holds everything."""
        return _first, (str(self),)


def _first(text: str) -> Message:
    return (read(text) or [Message(text)])[0]


def _simplify(value: Any) -> Any:
    """Turn a value into what JSON can hold; 12 digits, as tables are written."""
    if isinstance(value, Message | str | bool | int) or value is None:
        return value
    if isinstance(value, Mapping):
        raise TypeError("a value of a message is a number, text, a message or a list of these")
    if isinstance(value, Sequence):
        return [_simplify(v) for v in value]
    if is_missing(value):
        return None
    value = value.item() if hasattr(value, "item") else value
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _encode(value: Any) -> Any:
    if isinstance(value, Message):
        return {"id": value.id, **{k: _encode(v) for k, v in value.values.items()}}
    if isinstance(value, dict):
        return {k: _encode(v) for k, v in value.items()}
    return [_encode(v) for v in value] if isinstance(value, list) else value


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        return Message(value["id"], **{k: _decode(v) for k, v in value.items() if k != "id"})
    return [_decode(v) for v in value] if isinstance(value, list) else value


def join(messages: Sequence[str | None]) -> str:
    """Put several messages into one cell; what is empty is left out.

    Text that somebody typed becomes a message where it stands beside one.
    """
    parts = [m for m in messages if m]
    told = [isinstance(m, Message) or is_message(m) for m in parts]
    if any(told):
        parts = [
            m if own else Message("text.as_written", text=str(m))
            for m, own in zip(parts, told, strict=True)
        ]
    return "; ".join(parts)


def strip_numbers(cell: str) -> str:
    """Take every number out of a cell: of its messages, or the digits of other text."""
    found = read(cell)
    if found is None:
        return re.sub(r"\d+", "n", cell)
    return join([_drop(m, lambda _, value: isinstance(value, int | float)) for m in found])


def _drop(value: Any, gone: Callable[[str, Any], bool]) -> Any:
    """Empty the places of a message, and of those within it, for which `gone` says so."""
    if isinstance(value, Message):
        places = value.values.items()
        return Message(value.id, **{k: None if gone(k, v) else _drop(v, gone) for k, v in places})
    if isinstance(value, list):
        return [None if gone("", v) else _drop(v, gone) for v in value]
    return value


def read(cell: str) -> list[Message] | None:
    """Read the messages of a cell; None where it holds anything else."""
    out, at, decoder = [], 0, json.JSONDecoder()
    while True:
        found = _ID.match(cell, at)
        if found is None:
            return None
        values: dict[str, Any] = {}
        at = found.end()
        if cell.startswith("{", at):
            try:
                values, at = decoder.raw_decode(cell, at)
                out.append(Message(found.group(), **{k: _decode(v) for k, v in values.items()}))
            except (ValueError, KeyError, TypeError, RecursionError):
                return None
        else:
            out.append(Message(found.group()))
        if at == len(cell):
            return out
        if not cell.startswith("; ", at):
            return None
        at += 2


# ---- the catalogue -------------------------------------------------------------------------------


@cache
def entries() -> dict[str, dict[str, Any]]:
    """Read the catalogue: id -> language -> text, or forms of it by number.

    Raises
    ------
    ValueError
        If an id stands twice.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    out: dict[str, dict[str, Any]] = {}

    def collect(at: str, part: Mapping[str, Any]) -> None:
        if "en" in part:
            if at in out:
                raise ValueError(f"the message {at} stands twice in the catalogue")
            out[at] = dict(part)
            return
        for key, below in part.items():
            if not isinstance(key, str):
                raise ValueError(f"YAML reads a key below {at} as {key}: write it in quotes")
            collect(f"{at}.{key}" if at else key, below)

    for path in sorted(CATALOGUE.glob("*.yaml")):
        collect("", yaml.load(path.read_text("utf-8"), loader))
    return out


def known(id: str) -> bool:
    """Whether the catalogue has an id."""
    return id in entries()


def is_message(cell: str) -> bool:
    """Whether a cell holds messages of the catalogue and nothing else."""
    found = read(cell)
    return found is not None and all(map(_can_be_said, found))


@cache
def _list_places(id: str) -> frozenset[str]:
    """List the places of an entry, in any language and form."""
    forms = [f for e in entries()[id].values() for f in ([e] if isinstance(e, str) else e.values())]
    return frozenset(name for f in forms for _, name, _, _ in string.Formatter().parse(f) if name)


def _can_be_said(value: Any) -> bool:
    """Whether a message has what its entry asks for: somebody's label may look like one."""
    if isinstance(value, Message):
        # Without values the entry stands as it is, with braces that are YAML.
        told = known(value.id) and (
            not value.values or _list_places(value.id) <= value.values.keys()
        )
        return told and all(map(_can_be_said, value.values.values()))
    return not isinstance(value, list) or all(map(_can_be_said, value))


def term(family: str, code: Any) -> str:
    """Name a code by the entry of its family; a code of the clinic's own stands as it is.

    Returns a message that a cell can hold (one that stands in the place of the code, as it is), or
    the code with blanks for underscores.
    """
    if found := read(str(code)):
        return found[0]
    id = f"{family}.{code}"
    return Message(id) if known(id) else str(code).replace("_", " ")


def phrase(family: str, text: Any) -> str:
    """Name a code or a source's own words by the entry of a family that has them as its id.

    `3 months` is found as `3_months`. Text without an entry stands as the source prints it.
    """
    if isinstance(text, Message):
        return text
    id = f"{family}.{_BETWEEN.sub('_', str(text).lower()).strip('_')}"
    return Message(id) if known(id) else text if isinstance(text, str) else str(text)


def withhold(cell: str) -> str:
    """Take every number of people (the places `n`) out of the messages of a cell."""
    found = read(cell)
    return cell if found is None else join([_drop(m, lambda place, _: place == "n") for m in found])


class _Formatter(string.Formatter):
    """Write values into places: numbers with the language's signs, messages as sentences.

    Signed numbers of one sentence, a value and its limits, get equal decimals.
    """

    def __init__(self, values: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Remember the numbers of the sentence."""
        self.beside = [v for v in values.values() if isinstance(v, float)]

    def get_field(
        self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        value, first = super().get_field(field_name, args, kwargs)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if field_name in _COUNTS and number and float(value).is_integer():
            value = write_integer(value)
        return value, first

    def format_field(self, value: Any, spec: str) -> str:
        if isinstance(value, Message):
            return t(value.id, **value.values)
        if isinstance(value, list | tuple):
            parts = [self.format_field(v, "") for v in value]
            if spec == "and" and len(parts) > 1:
                return ", ".join(parts[:-1]) + _AND[current()] + parts[-1]
            return (spec if spec not in ("", "and") else ", ").join(parts)
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return str(value)
        if is_missing(value):
            return MISSING
        if spec == "signed":
            text = write_number(value, 1, self.beside)
            return f"+{text}" if value > 0 and re.search("[1-9]", text) else text
        if spec == "count":
            return write_integer(value)
        if spec.endswith("g"):
            return write_significant(value, int(spec[:-1]))
        if spec:
            return write_number(value, int(spec))
        if float(value).is_integer():
            return f"{value:.0f}".replace("-", "−")
        return decimal(f"{value:.6g}".replace("-", "−"))


def t(id: str, /, **values: Any) -> str:
    """Make the sentence of an id in the language in use.

    Raises
    ------
    KeyError
        If the catalogue lacks the id, or a place has no value.
    """
    text = entries()[id][current()]
    if not isinstance(text, str):
        n = values.get("n")
        form = "hidden" if is_missing(n) else "one" if n in (1, "1") else "other"
        text = text.get(form, text["other"])
    return _Formatter(values).vformat(text, (), values) if values else text


def capital(text: str) -> str:
    """Begin a text with a capital letter."""
    return text[:1].upper() + text[1:]


def say_in_english(cell: Any) -> str:
    """Make the sentences of a cell in English, whatever the language in use."""
    with speaking("en"):
        return say(cell)


def say(cell: Any) -> str:
    """Make the sentences of a cell in the language in use; other text stands as it is."""
    text = str(cell)
    found = [cell] if isinstance(cell, Message) else read(text)
    if found is None or not all(map(_can_be_said, found)):
        if current() != "en" and re.search(r"[^\W\d_]{2}", text):
            missed.add((current(), text))
        return text
    return "; ".join(t(m.id, **m.values) for m in found)
