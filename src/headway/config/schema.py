"""From the classes of the settings to their JSON Schema, and from YAML to objects and back.

A class of settings is a frozen dataclass. Types, defaults and the `About` of each field are the one
source: the schema, its published copy and the tables of the documents are derived from them.
"""

from __future__ import annotations

import collections.abc
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class About:
    """What a setting means and may hold, beside its type; stands in `Annotated`."""

    text: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    pattern: str | None = None
    allowed: tuple[str, ...] = ()  # words, or the keys of a mapping
    least: int | None = None  # characters, items or keys
    unique: bool = False
    null: bool = False  # null may be written; else a key without a value is left out
    several: bool = False  # one value, or a list of them


Text = Annotated[str, About(least=1)]
Key = Annotated[str, About(pattern="^[a-z][a-z0-9_]*$")]
Id = Annotated[str, About(pattern="^[a-z0-9_]+$")]
FileName = Annotated[str, About(pattern=r"^[^/\\\x00-\x1f\x7f]+$", least=1)]

_LIMITS = {
    "low": "minimum",
    "high": "maximum",
    "above": "exclusiveMinimum",
    "below": "exclusiveMaximum",
    "pattern": "pattern",
}
_LEAST = {"string": "minLength", "array": "minItems", "object": "minProperties"}
_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def key_of(field: Field[Any]) -> str:
    """Name the key of a field in YAML: words that Python keeps for itself end in `_`."""
    return field.name.rstrip("_")


@cache
def hints_of(kind: type) -> dict[str, Any]:
    """List the types of a class of settings, field by field."""
    return get_type_hints(kind, include_extras=True)


def split(hint: Any) -> tuple[Any, list[About]]:
    """Part a type from what is said about it."""
    if get_origin(hint) is not Annotated:
        return hint, []
    base, *notes = get_args(hint)
    return base, [note for note in notes if isinstance(note, About)]


def members(base: Any) -> tuple[Any, ...]:
    """List the types of a union; else the type alone."""
    return get_args(base) if get_origin(base) in (Union, types.UnionType) else (base,)


def may_be_null(hint: Any) -> bool:
    """Whether a file may say null for a setting."""
    return any(note.null for note in split(hint)[1])


def is_required(field: Field[Any]) -> bool:
    """Whether a field has no default."""
    return field.default is MISSING and field.default_factory is MISSING


def default_of(field: Field[Any]) -> Any:
    """Take a field's default."""
    return field.default if field.default_factory is MISSING else field.default_factory()


@cache
def derive_schema(kind: type) -> dict[str, Any]:
    """Derive the JSON Schema of a class of settings; its parts stand in `$defs`."""
    found: dict[str, Any] = {}
    head = _object(kind, found)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **head,
        "$defs": dict(sorted(found.items())),
    }


def _object(kind: type, found: dict[str, Any]) -> dict[str, Any]:
    hints, properties = hints_of(kind), {}
    for field in fields(kind):
        rule = _rule(hints[field.name], found)
        if not is_required(field):
            default = default_of(field)
            if default is not None or may_be_null(hints[field.name]):
                rule["default"] = {} if is_dataclass(default) else to_dict(default)
        properties[key_of(field)] = rule
    required = [key_of(field) for field in fields(kind) if is_required(field)]
    return {
        "type": "object",
        "additionalProperties": False,
        "description": (kind.__doc__ or "").split("\n\n")[0],
        **({"required": required} if required else {}),
        "properties": properties,
        **getattr(kind, "BESIDE", {}),
    }


def _rule(hint: Any, found: dict[str, Any]) -> dict[str, Any]:
    base, notes = split(hint)
    several = [i for i, note in enumerate(notes) if note.several]
    if several:
        item = get_args(base)[0] if get_origin(base) is tuple else base
        before, notes = notes[: several[0]], notes[several[0] :]
        one = _rule(Annotated[(item, *before)] if before else item, found)
        kind = "object" if "$ref" in one else one["type"]
        rule: dict[str, Any] = {
            "type": [kind, "array"],
            "minItems": 1,
            "items": one,
            "if": {"type": kind},
            "then": one,
        }
    else:
        branches = [_branch(one, found) for one in members(base) if one is not types.NoneType]
        if any(note.null for note in notes):
            branches.append({"type": "null"})
        rule = _join(branches)
    for note in notes:
        limits = {word: getattr(note, name) for name, word in _LIMITS.items()}
        rule |= {word: value for word, value in limits.items() if value is not None}
        if note.allowed:
            rule = {"enum": list(note.allowed)}
        if note.least is not None:
            rule[_LEAST[rule["type"]]] = note.least
        if note.unique:
            rule["uniqueItems"] = True
        if note.text:
            rule["description"] = note.text
    return rule


def _branch(base: Any, found: dict[str, Any]) -> dict[str, Any]:
    if get_origin(base) is Annotated:
        return _rule(base, found)
    if base in _SCALARS:
        return {"type": _SCALARS[base]}
    if is_dataclass(base):
        name = base.__name__  # type: ignore[union-attr]
        if name not in found:
            found[name] = {}  # a class may hold itself
            found[name] = _object(base, found)  # type: ignore[arg-type]
        return {"$ref": f"#/$defs/{name}"}
    parts = get_args(base)
    if get_origin(base) is Literal:
        return {"const": parts[0]} if len(parts) == 1 else {"enum": list(parts)}
    if get_origin(base) is tuple:
        if parts[-1] is Ellipsis:
            return {"type": "array", "items": _rule(parts[0], found)}
        n = {"minItems": len(parts), "maxItems": len(parts)}
        return {"type": "array", "prefixItems": [_rule(part, found) for part in parts], **n}
    value = _rule(parts[1], found)
    rule: dict[str, Any] = {"type": "object", "additionalProperties": value}
    for note in split(parts[0])[1]:
        if note.allowed:
            named = dict.fromkeys(note.allowed, value)
            rule |= {"additionalProperties": False, "properties": named}
        if note.pattern:
            rule["propertyNames"] = {"pattern": note.pattern}
    return rule


def _join(branches: list[dict[str, Any]]) -> dict[str, Any]:
    """Make one rule of the types that a value may have."""
    if len(branches) == 1:
        return branches[0]
    kinds = [one.get("type") for one in branches]
    if None in kinds or (len(branches) == 2 and "object" in kinds and "null" not in kinds):
        return {"oneOf": branches}
    joined = {word: value for one in branches for word, value in one.items()}
    if "integer" in kinds and "number" in kinds:
        kinds.remove("integer")
    return joined | {"type": kinds}


def build(kind: type[T], raw: Mapping[str, Any]) -> T:
    """Make the object of a class from what its YAML holds; the schema has been checked."""
    shape: Any = kind
    hints = hints_of(shape)
    return kind(
        **{
            field.name: _make(hints[field.name], raw[key_of(field)])
            for field in fields(shape)
            if key_of(field) in raw
        }
    )


def _make(hint: Any, raw: Any) -> Any:
    base = split(hint)[0]
    if get_origin(base) is tuple and not isinstance(raw, list):
        raw = [raw]  # one of several
    for one in (split(member)[0] for member in members(base)):
        parts = get_args(one)
        if isinstance(raw, dict) and is_dataclass(one):
            return build(one, raw)  # type: ignore[arg-type]
        if isinstance(raw, dict) and get_origin(one) is collections.abc.Mapping:
            return {key: _make(parts[1], value) for key, value in raw.items()}
        if isinstance(raw, list) and get_origin(one) is tuple:
            each = [parts[0]] * len(raw) if parts[-1] is Ellipsis else parts
            return tuple(_make(part, value) for part, value in zip(each, raw, strict=True))
    return raw


# Words by which people turn a setting on and off; YAML 1.2 leaves them text.
_SWITCHES = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
_GROUPED = re.compile(r"[-+]?[1-9][0-9]*(_[0-9]+)+")


def read_switches(hint: Any, raw: Any) -> Any:
    """Read `yes` as true, and `10_000` as a number, where the type of a setting asks for one.

    Parameters
    ----------
    hint
        The type of a setting, or a class of settings.
    raw
        What stands in YAML; what does not fit its type is left for the schema to report.
    """
    kinds = [split(one)[0] for one in members(split(hint)[0])]
    if isinstance(raw, str) and str not in kinds:
        if bool in kinds or any(True in get_args(k) for k in kinds if get_origin(k) is Literal):
            return _SWITCHES.get(raw.lower(), raw)
        if {int, float} & {*kinds} and _GROUPED.fullmatch(raw):
            return int(raw.replace("_", ""))
    for kind in kinds:
        parts = get_args(kind)
        if isinstance(raw, dict) and is_dataclass(kind):
            own = {key_of(field): hints_of(kind)[field.name] for field in fields(kind)}  # type: ignore[arg-type]
            raw = {k: read_switches(own[k], v) if k in own else v for k, v in raw.items()}
        elif isinstance(raw, dict) and get_origin(kind) is collections.abc.Mapping:
            raw = {k: read_switches(parts[1], v) for k, v in raw.items()}
        elif isinstance(raw, list) and get_origin(kind) is tuple:
            each = [parts[0]] * len(raw) if parts[-1] is Ellipsis else parts
            raw = [read_switches(one, v) for one, v in zip(each, raw, strict=False)] + raw[
                len(each) :
            ]
        elif get_origin(kind) is tuple and isinstance(raw, dict):  # one of several
            raw = read_switches(parts[0], raw)
    return raw


def to_dict(value: Any) -> Any:
    """Write settings as plain data, as YAML would hold them with every default."""
    if is_dataclass(value):
        return dict(_items(value))
    if isinstance(value, Mapping):
        return {key: to_dict(one) for key, one in value.items()}
    return [to_dict(one) for one in value] if isinstance(value, tuple) else value


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    shape: Any = type(value)
    hints = hints_of(shape)
    for field in fields(value):
        held = getattr(value, field.name)
        if held is not None or may_be_null(hints[field.name]):
            yield key_of(field), to_dict(held)
