"""How the documentation is built: ``python -m sphinx -W docs docs/_build``."""

import tomllib
from importlib.metadata import version as _version
from pathlib import Path

_project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))[
    "project"
]

project = _project["name"]
author = _project["authors"][0]["name"]
project_copyright = f"2026, {author}"
version = release = _version(project)

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
    "_templates",
]
# the gallery's sorting keys cannot be pickled; scikit-learn's inherited docs refer to its own pages
suppress_warnings = ["config.cache", "ref.ref"]
myst_heading_anchors = 3
autosummary_generate = True
add_module_names = False  # a page says once where its name comes from; long names break on a phone
templates_path = ["_templates"]  # pages of the API, titled by the bare name
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
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_baseurl = _project["urls"]["Documentation"]
