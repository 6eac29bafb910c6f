"""The site of the documents: `make docs`. Everything it needs is on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE.parent / "tools")]

import docs_pictures  # noqa: E402

# Pictures and the commands' own words come from a clinic and a review that are built for them.
docs_pictures.make(HERE / "_made")

project = "Headway"
copyright = "the authors of Headway"
author = "the authors of Headway"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "_made"]
# A docstring's `array_like, shape (k,)` is no reference to one of the attributes called k.
suppress_warnings = ["ref.python"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = "Headway"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
pygments_style = "friendly"
