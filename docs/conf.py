"""How the documentation is built: ``python -m sphinx -W docs docs/_build``."""

from importlib.metadata import version as _version

project = "sklearn-aeppt"
author = "sklearn-aeppt developers"
project_copyright = f"2026, {author}"
version = release = _version("sklearn-aeppt")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = [
    "_build",
    "auto_examples/**.ipynb",
    "auto_examples/**.py",
    "auto_examples/GALLERY*",
]
# the gallery's sorting keys cannot be pickled; scikit-learn's inherited docs refer to its own pages
suppress_warnings = ["config.cache", "ref.ref"]
myst_heading_anchors = 3
autosummary_generate = True
numpydoc_show_class_members = False
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"__init__\.py",
    "show_memory": False,
    "abort_on_example_error": True,
    "parallel": 2,
}
html_theme = "furo"
html_title = "sklearn-aeppt"
html_static_path: list = []
