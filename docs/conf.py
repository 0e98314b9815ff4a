"""The site: ``sphinx-build -W -b html docs docs/_build/html``, without a network."""

import sys
from pathlib import Path

from claude_nb import __version__

# For `extension`, and for what the tests share.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

project = "claude_nb"
author = "The claude_nb developers"
copyright = "The claude_nb developers"  # noqa: A001
release = __version__
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "extension",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

myst_heading_slug_func = "extension.notebooks.anchor"

autodoc_typehints = "none"  # they stand in the signature
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

copybutton_selector = ".highlight-python pre, .highlight-ipython pre, .highlight-bash pre"
# `%%claude` is a cell of IPython; what stands below it is text.
highlight_language = "text"
smartquotes_action = "D"  # dashes

html_theme = "pydata_sphinx_theme"
html_title = "claude_nb"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {name: [] for name in ("faq", "how_it_works", "index", "install", "lecturers")}
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
