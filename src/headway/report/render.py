"""Templates and style -> one self-contained page."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.messages import say, t
from headway.report import formats
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
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["formats"] = formats
    environment.globals["t"] = t
    environment.globals["say"] = say
    environment.globals["version"] = describe()
    return environment


def render(template: str, **context: Any) -> str:
    """Fill a template; the style is written into the page."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return _environment().get_template(template).render(style=style, **context)
