"""Templates, style and script -> one self-contained page."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.messages import decimal, say, t
from headway.report import formats
from headway.tables import make_name, printable
from headway.version import describe

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
# Pages with sections that open and tables that may be long. What the script may do is said in
# docs/security.md; the page allows this one, by its digest, and no other.
SCRIPTED = ("clinic.html", "review.html", "update.html")
LONG = 30  # rows of a table beyond which it sorts, filters and downloads


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_print,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["name"] = make_name
    environment.globals["formats"] = formats
    environment.globals["t"] = t
    environment.globals["say"] = say
    environment.globals["version"] = describe()
    environment.globals["LONG"] = LONG
    return environment


def prepare() -> None:
    """Compile every template, for pages that are made later."""
    for name in _environment().list_templates(extensions=["html"]):
        _environment().get_template(name)


def _print(value: Any) -> Any:
    """Make what a template writes printable; it is escaped afterwards."""
    if not isinstance(value, str):
        return value
    # What the template has escaped already stays of its own kind, and is not escaped again.
    return type(value)(printable(value)) if hasattr(value, "__html__") else printable(value)


def render(template: str, **context: Any) -> str:
    """Fill a template; the style, and where the page has one the script, are written into it."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8") if template in SCRIPTED else ""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        _environment()
        .get_template(template)
        .render(
            style=style,
            script=script,
            digest=digest,
            # A spreadsheet of a language with decimal commas takes semicolons between cells.
            delimiter="," if decimal(".") == "." else ";",
            **context,
        )
    )
