"""What in a document breaks its JSON Schema: the key, the rule and what is allowed, no value."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from headway.config.document import Keys, find_line
from headway.errors import Problem
from headway.messages import Message, term

# Rules with one number, and what a key that breaks them is told.
_LIMITS = {
    "minimum": "problem.key_at_least",
    "maximum": "problem.key_at_most",
    "exclusiveMinimum": "problem.key_above",
    "exclusiveMaximum": "problem.key_below",
}
_LENGTHS = {
    **dict.fromkeys(("minItems", "minLength", "minProperties"), "problem.key_too_short"),
    **dict.fromkeys(("maxItems", "maxLength", "maxProperties"), "problem.key_too_long"),
}
# Patterns that words say better.
_PATTERNS = {
    r"^[a-z0-9_]+$": "code",
    r"^[a-z][a-z0-9_]*$": "word",
    r"^[^/\\\x00-\x1f\x7f]+$": "file_name",
    r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$": "printed",
    r"^(-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?|not estimable)$": "stored",
    r"\b(19|20)\d\d$": "cited",
    r"^10\.\d{4,}/\S+$": "doi",
}


def find_faults(
    document: Any,
    schema: Mapping[str, Any],
    file: str,
    lines: Mapping[Keys, int] = MappingProxyType({}),
) -> list[Problem]:
    """List everything in a document that breaks a schema, with a suggestion for unknown keys.

    `lines` are the lines of its keys, where they are known.
    """
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema)
    errors = sorted(validator.iter_errors(document), key=lambda e: [str(p) for p in e.path])
    return list(
        dict.fromkeys(problem for error in errors for problem in _explain(error, file, lines))
    )


def _explain(error: Any, file: str, lines: Mapping[Keys, int]) -> list[Problem]:
    """Turn one schema error into problems: the place, the rule, what is allowed."""
    if error.validator in ("oneOf", "anyOf") and error.context:
        # Of branches told apart by a constant, the one whose constant stands there is meant.
        others = {e.schema_path[0] for e in error.context if e.validator == "const"}
        meant = [e for e in error.context if e.schema_path[0] not in others]
        if others and len({e.schema_path[0] for e in meant}) == 1:
            return [problem for e in meant for problem in _explain(e, file, lines)]
        # The branch that got furthest is the one that was meant.
        best = max(error.context, key=lambda e: (len(e.absolute_path), e.validator != "type"))
        deeper = len(best.absolute_path) > len(error.absolute_path)
        if deeper or best.validator not in ("type", "const", "required"):
            return _explain(best, file, lines)
    path = [str(p) for p in error.absolute_path]
    rule = str(error.validator)
    if rule == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        return [
            Problem(
                file,
                "unknown_key",
                Message("problem.unknown_key", key=".".join([*path, str(key)])),
                line=find_line(lines, (*path, str(key))),
                remedy=_suggest(str(key), known),
            )
            for key in error.instance
            if key not in known
        ]
    line = find_line(lines, tuple(path))
    if rule == "required":
        absent = [key for key in error.validator_value if key not in error.instance]
        keys = [".".join([*path, key]) for key in absent]
        return [
            Problem(
                file,
                rule,
                Message("problem.key_required", key=key),
                line=line,
                remedy=Message("remedy.key_required", key=key.rpartition(".")[2]),
            )
            for key in keys
        ]
    if "propertyNames" in error.absolute_schema_path:
        path.append(str(error.instance))
        line = find_line(lines, tuple(path))
    text = _say_fault(error, ".".join(path))
    return [Problem(file, rule, text, line=line, remedy=_quote(error))]


def _quote(error: Any) -> str:
    """Say how to write a word that YAML takes for a switch, a number or nothing, as text."""
    wanted = error.validator_value if error.validator == "type" else ()
    taken = error.instance is None or isinstance(error.instance, bool | int | float)
    return "remedy.quote_word" if taken and "string" in wanted else ""


def _suggest(key: str, known: list[str]) -> Message:
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return Message("remedy.did_you_mean", name=close[0])
    return Message("remedy.known_keys", names=known)


def _say_fault(error: Any, key: str) -> Message:
    """Say what a key must be, by the keyword that it breaks."""
    rule, limit = error.validator, error.validator_value
    if rule in _LIMITS:
        return Message(_LIMITS[rule], key=key, limit=limit)
    if rule in _LENGTHS:
        return Message(_LENGTHS[rule], key=key, n=limit)
    if rule == "enum":
        words = [f"'{word}'" if "," in str(word) else str(word) for word in limit]
        return Message("problem.key_one_of", key=key, words=words)
    if rule == "pattern" and limit not in _PATTERNS:
        return Message("problem.key_pattern", key=key, pattern=limit)
    if rule == "uniqueItems":
        return Message("problem.key_twice", key=key)
    if rule == "oneOf" and not error.context:  # more than one branch holds
        names = [name for branch in limit for name in branch["required"]]
        return Message("problem.key_only_one", key=key, names=names)
    branches = error.context if rule in ("oneOf", "anyOf") else [error]
    wanted = list(dict.fromkeys(word for branch in branches for word in _list_wanted(branch)))
    return Message("problem.key_must_be", key=key, wanted=wanted)


def _list_wanted(error: Any) -> list[str]:
    """List what one branch of a schema asks for."""
    rule, limit = error.validator, error.validator_value
    if rule == "type":
        return [term("wanted", kind) for kind in ([limit] if isinstance(limit, str) else limit)]
    if rule == "pattern" and limit in _PATTERNS:
        return [term("wanted", _PATTERNS[limit])]
    if rule == "required":
        return [Message("wanted.with_keys", names=limit)]
    if rule in ("const", "enum"):
        return [f"'{word}'" for word in ([limit] if rule == "const" else limit)]
    return []
