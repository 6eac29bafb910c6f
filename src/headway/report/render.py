"""Templates and style -> one self-contained page."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.messages import say, t
from headway.report import formats
from headway.tables import make_name, printable
from headway.version import describe

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"


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
    return environment


def _print(value: Any) -> Any:
    """Make what a template writes printable; it is escaped afterwards."""
    if not isinstance(value, str):
        return value
    # What the template has escaped already stays of its own kind, and is not escaped again.
    return type(value)(printable(value)) if hasattr(value, "__html__") else printable(value)


def render(template: str, **context: Any) -> str:
    """Fill a template; the style is written into the page."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return _environment().get_template(template).render(style=style, **context)
