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
html_copy_source = html_show_copyright = False
html_static_path, html_css_files = ["static"], ["wide.css"]

myst_heading_anchors = 3  # [text](page.md#heading)
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the sections "Parameters" give the types, with shapes
napoleon_google_docstring = False
napoleon_use_rtype, napoleon_use_ivar = False, True
highlight_language = "none"  # a block without a language is output
toc_object_entries_show_parents = "hide"
