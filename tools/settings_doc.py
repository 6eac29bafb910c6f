"""Write what is derived from the classes of the settings: python tools/settings_doc.py.

The JSON Schemas beside `headway.config`, for editors that complete YAML, and the tables of every
key in config/README.md, docs/clinic.yaml.md and docs/review.yaml.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from headway import config  # noqa: E402
from headway.config import schema  # noqa: E402

NAMES: tuple[config.SchemaName, ...] = ("config", "clinic", "review")
BEGIN, END = "<!-- every key: written by tools/settings_doc.py -->\n", "<!-- end of every key -->\n"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def write_schema(name: config.SchemaName) -> str:
    """Write the schema of a file as YAML."""
    text = yaml.dump(
        schema.derive_schema(config.find_class(name)),
        Dumper=_Dumper,
        sort_keys=False,
        width=100,
        default_flow_style=None,
        allow_unicode=True,
    )
    return f"# Written by tools/settings_doc.py from the classes in src/headway/config/.\n{text}"


def _say_values(rule: Mapping[str, Any]) -> str:
    """Say in words what a key may hold."""
    if "const" in rule or "enum" in rule:
        codes = rule.get("enum", [rule.get("const")])
        return ", ".join(f"`{json.dumps(code).strip(chr(34))}`" for code in codes)
    if "oneOf" in rule:
        return " or ".join(_say_values(one) for one in rule["oneOf"])
    if "$ref" in rule:
        return "a mapping"
    if "prefixItems" in rule:
        return f"[{', '.join(_say_values(one) for one in rule['prefixItems'])}]"
    if "then" in rule and "items" in rule:
        return f"{_say_values(rule['then'])}, or a list of them"
    kinds = [rule["type"]] if isinstance(rule["type"], str) else rule["type"]
    words = {
        "string": "text",
        "boolean": "`true`, `false`",
        "object": "a mapping",
        "null": "`null`",
    }
    said = [
        f"list of {_say_values(rule['items'])}".replace("list of a mapping", "list of mappings")
        if kind == "array"
        else words.get(kind, kind)
        for kind in kinds
    ]
    limits = [
        f"{sign} {rule[word]:g}"
        for word, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if word in rule
    ]
    return " ".join([" or ".join(said), *limits])


def _classes(hint: Any) -> Iterator[tuple[str, type]]:
    """Find the classes of settings in a type, each with what its key adds to the path."""
    base, _ = schema.split(hint)
    if is_dataclass(base):
        yield "", base  # type: ignore[misc]
        return
    parts = get_args(base)
    origin = get_origin(base)
    mapped = isinstance(origin, type) and issubclass(origin, Mapping)
    for part in parts[1:] if mapped else parts:
        for path, kind in _classes(part):
            yield (".NAME" if mapped else "") + path, kind


def list_keys(
    kind: type, prefix: str = "", told: dict[type, str] | None = None
) -> Iterator[list[str]]:
    """List the rows of the table: key, what it may hold, unit, default, meaning."""
    told = {} if told is None else told
    hints = schema.hints_of(kind)
    properties = schema.derive_schema(kind)["properties"]
    for field in fields(kind):
        key, hint = prefix + schema.key_of(field), hints[field.name]
        rule = properties[schema.key_of(field)]
        notes = schema.split(hint)[1]
        within = list(_classes(hint))
        meaning = next((note.text for note in reversed(notes) if note.text), "")
        if not meaning and within:
            meaning = (within[0][1].__doc__ or "").split("\n\n")[0]
        known = [f"Keys as under `{told[one]}`." for _, one in within if one in told]
        default = "required" if schema.is_required(field) else ""
        if "default" in rule and rule["default"] not in ("", {}, []):
            default = f"`{yaml.dump(rule['default'], default_flow_style=True, width=1e9).strip()}`"
            default = default.replace("\n...", "")
            default = "see the schema" if len(default) > 200 else default
        unit = next((note.unit for note in notes if note.unit), "")
        yield [f"`{key}`", _say_values(rule), unit, default, " ".join([meaning, *known]).strip()]
        for path, one in within:
            if one not in told:
                told[one] = key
                yield from list_keys(one, f"{key}{path}.", told)


def write_table(name: config.SchemaName) -> str:
    """Write the table of every key of a file."""
    head = "| key | holds | unit | default | meaning |\n|---|---|---|---|---|\n"
    rows = list_keys(config.find_class(name))
    return head + "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows
    )


def derived() -> dict[Path, str]:
    """Make every file that is derived, by its path."""
    out = {ROOT / f"src/headway/config/{name}.schema.yaml": write_schema(name) for name in NAMES}
    pages: dict[config.SchemaName, Path] = {"config": ROOT / "config/README.md"}
    pages |= {name: ROOT / f"docs/{name}.yaml.md" for name in NAMES[1:]}
    for name, page in pages.items():
        before, rest = page.read_text(encoding="utf-8").split(BEGIN)
        out[page] = before + BEGIN + "\n" + write_table(name) + "\n" + END + rest.split(END)[1]
    return out


if __name__ == "__main__":
    for path, text in derived().items():
        path.write_text(text, encoding="utf-8")
