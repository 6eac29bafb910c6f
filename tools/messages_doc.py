"""Write docs/messages.md, what Headway says and what to do: python tools/messages_doc.py.

The remedy of a problem is found in the code: the id that stands beside the problem's where it is
raised.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from headway.messages import entries

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "headway"
HEAD = """\
# Messages

What Headway says when something is wrong or in doubt, from `src/headway/messages/catalogue`
(`python tools/messages_doc.py` writes this page; a test holds it against the catalogue, and
`tests/unit/test_provoked.py` provokes each by a small file). A message names the file, the column,
the line and the rule, never the value of a cell; `{name}` stands for what is filled in. On a
clinic's page they are in the clinic's language.
"""
PARTS = (
    ("failure", "Failures", "The first line of an error: what could not be done."),
    ("problem", "Problems", "The lines below it: what is wrong, where, and what to do about it."),
    ("remedy", "Remedies", "What to do: the line to type."),
    (
        "proposal",
        "What new-clinic says",
        "Reasons and doubts in clinic.yaml, and questions at the prompt.",
    ),
    (
        "published",
        "What new-review says",
        "Reasons and doubts in review.yaml, and questions at the prompt.",
    ),
    ("command", "What commands say", "Of their own work."),
    ("machine", "What a run says that the machine failed", "And what to do about it."),
)
_ID = re.compile(r"(problem|remedy)\.[a-z0-9_]+")


def say(id: str) -> str:
    """Write an entry in English, its forms by number one after the other."""
    text: str | Mapping[str, str] = entries()[id]["en"]
    forms = [text] if isinstance(text, str) else list(dict.fromkeys(text.values()))
    return " / ".join(forms).replace("|", "\\|").replace("{{", "{").replace("}}", "}")


def _list_ids(node: ast.AST) -> set[str]:
    texts = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
    return {t for t in texts if isinstance(t, str) and _ID.fullmatch(t)}


def _list_pairs(tree: ast.AST) -> Iterator[tuple[set[str], set[str]]]:
    """Yield the problems and remedies that stand together in a call, a tuple or an assignment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call | ast.Tuple | ast.Assign):
            found = _list_ids(node)
            problems = {i for i in found if i.startswith("problem.")}
            if len(problems) == 1:
                yield problems, found - problems


def find_remedies() -> dict[str, set[str]]:
    """Find the remedies of each problem."""
    out: dict[str, set[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        tree: Any = ast.parse(path.read_text(encoding="utf-8"))
        for problems, remedies in _list_pairs(tree):
            for problem in problems:
                out.setdefault(problem, set()).update(remedies)
    return out


def write() -> str:
    """Make the page."""
    remedies = find_remedies()
    out = [HEAD]
    for family, title, about in PARTS:
        ids = sorted(id for id in entries() if id.startswith(f"{family}."))
        out.append(f"\n## {title}\n\n{about}\n\n")
        beside = family == "problem"
        out.append("| id | sentence | what to do |\n|---|---|---|\n" if beside else
                   "| id | sentence |\n|---|---|\n")  # fmt: skip
        for id in ids:
            cells = [f"`{id}`", say(id)]
            if beside:
                known = sorted(r for r in remedies.get(id, ()) if r in entries())
                cells.append("; ".join(say(r) for r in known))
            out.append(f"| {' | '.join(cells)} |\n")
    return "".join(out)


if __name__ == "__main__":
    (ROOT / "docs" / "messages.md").write_text(write(), encoding="utf-8")
