"""How Sphinx makes the site: `make docs`. Every warning is an error."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extension"))

import kdos

project = "kdos"
version = release = kdos.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "from_code"]
exclude_patterns = ["extension"]

myst_heading_anchors = 3
default_role = "code"
smartquotes = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_class_signature = "separated"
python_maximum_signature_line_length = 88
add_module_names = False

html_theme = "furo"
html_title = "kdos"
html_show_copyright = False
html_show_sourcelink = False
