"""How Sphinx builds these pages: ``bash .ci/docs``.

Nothing is downloaded. What other projects document is known from the inventories in ``docs/inventories``.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))
sys.path.insert(0, str(HERE.parent))  # the clone, for what its tests and benchmarks say of themselves

import perfectws  # noqa: E402  # the one that is installed where Sphinx is

project = "perfectws"
author = "the maintainers of perfectws"
project_copyright = "2026, the maintainers of perfectws"
version = release = perfectws.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "tables",
    "docstrings",
    "options",
    "reference",
    "results",
    "swift",
]
exclude_patterns = ["_build", "bounds.md", "screenshots", "inventories", "extensions"]

nitpicky = True
# A single backtick in a docstring names a Python object.
default_role = "py:obj"

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

# The addresses are those that a reader's browser opens; the inventories are read here.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", "inventories/python.inv"),
    "outcome": ("https://outcome.readthedocs.io/en/latest", "inventories/outcome.inv"),
    "trio": ("https://trio.readthedocs.io/en/stable", "inventories/trio.inv"),
}

html_theme = "furo"
html_title = f"perfectws {release}"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_js_files = [("pages.js", {"defer": "defer"})]
html_copy_source = False
