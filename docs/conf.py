"""The documentation site: `make docs` writes it to build/docs."""

from __future__ import annotations

import wdccheck

project = "wdccheck"
author = "the wdccheck developers"
version = release = wdccheck.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"wdccheck {release}"
html_show_sphinx = False
html_copy_source = False

myst_heading_anchors = 3  # [text](page.md#heading)
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the sections "Parameters" give the types, with shapes
napoleon_google_docstring = False
napoleon_use_rtype = False
toc_object_entries_show_parents = "hide"
