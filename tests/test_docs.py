"""The README does what it says."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from sklearn_aeppt._answers import Answers

ROOT = Path(__file__).resolve().parents[1]


def blocks(language, page="README.md"):
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def test_readme_python_runs_from_top_to_bottom():
    names = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert (names["defended"].predict(names["X"]) == names["model"].predict(names["X"])).all()
    assert names["search"].best_estimator_.estimator_ is names["model"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_the_guide_to_extending_does_what_it_says(tmp_path, monkeypatch):
    code = blocks("python", "docs/extending.md")
    assert all(len(block.splitlines()) <= 30 for block in code)
    (tmp_path / "extending_guide.py").write_text("\n".join(code))  # a module: checks pickle
    monkeypatch.syspath_prepend(tmp_path)
    guide = importlib.import_module("extending_guide")
    p = np.random.default_rng(0).dirichlet(np.ones(5), 50)
    mixed = guide.MixedClassifier(Answers(np.arange(5)), share=0.3).fit(p[:25], p[25:])
    np.testing.assert_array_equal(mixed.perturb(p).argmax(axis=1), p.argmax(axis=1))


def test_the_first_five_minutes_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("python", "docs/start.md"):
        exec(compile(block, "start.md", "exec"), names)
    assert (
        "only looks whether the label" in names["report"].verdict
        and (tmp_path / "audit.html").exists()
    )


def test_first_two_shell_blocks_are_the_two_set_ups():
    first, second = blocks("sh")[:2]
    assert first.rstrip().endswith("sklearn-aeppt demo")
    assert second.rstrip().endswith("-m pytest")
    for block in (first, second):
        assert "-c constraints.txt" in block and block.startswith("python3 -m venv")


def test_links_of_the_docs_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            if not target.startswith("auto_examples"):  # made with the site, which checks them
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_text_names_no_machine():
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "CHANGELOG.md"):
        assert not re.search(r"/(root|work|home)/", page.read_text()), page.name


def test_constraints_pin_torch():
    assert "torch==2.13.0\n" in (ROOT / "constraints.txt").read_text()


@pytest.mark.parametrize("example", sorted(ROOT.glob("examples/plot_*.py")), ids=lambda p: p.stem)
def test_examples_run(example, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(pyplot, "show", lambda: None)
    exec(compile(example.read_text(), example.name, "exec"), {})
    assert pyplot.get_fignums()
    pyplot.close("all")
