"""What is packaged, and that what is said of it in several files agrees."""

import re
import tomllib
from pathlib import Path

import pytest

import sklearn_aeppt

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CORE = {"numpy", "scipy", "scikit-learn", "joblib", "tqdm"}


def names(requirements):
    return {re.match(r"[\w.-]+", requirement)[0] for requirement in requirements}


def test_the_core_needs_no_torch():
    assert names(PROJECT["dependencies"]) == CORE
    extras = PROJECT["optional-dependencies"]
    assert names(extras["torch"]) == {"torch", "skorch"}


def test_all_holds_every_extra_of_a_user():
    extras = PROJECT["optional-dependencies"]
    held = re.search(r"\[(.*)\]", extras["all"][0])[1].split(",")
    assert set(held) == set(extras) - {"all", "docs"}


def test_constraints_pin_what_is_required():
    pinned = names((ROOT / "constraints.txt").read_text("utf-8").split("\n")[1:-1])
    pinned = {name.lower().replace("_", "-") for name in pinned}
    extras = PROJECT["optional-dependencies"]
    wanted = names([*PROJECT["dependencies"], *(r for e in extras.values() for r in e)])
    wanted = {name.lower().replace("_", "-") for name in wanted} - {PROJECT["name"]}
    assert not wanted - pinned
    assert {"torch", "build"} <= pinned


def test_types_are_announced():
    assert (Path(sklearn_aeppt.__file__).parent / "py.typed").exists()
    assert "Typing :: Typed" in PROJECT["classifiers"]


def test_project_links_are_set_in_one_place():
    urls = set(PROJECT["urls"].values())
    base = PROJECT["urls"]["Documentation"]
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "CITATION.cff"]
    found = 0
    for file in files:
        for link in re.findall(r"https?://example\.org[^\s)>\]]*", file.read_text("utf-8")):
            page = link.removeprefix(base).removesuffix(".html")
            assert link in urls or (ROOT / f"docs/{page}.md").is_file(), f"{file.name}: {link}"
            found += 1
    assert found > 10


def test_citation_agrees_with_the_package():
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["title"] == PROJECT["name"]
    assert str(citation["version"]) == sklearn_aeppt.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Source"]


def test_the_workflow_runs_ci_on_the_oldest_and_the_newest_python():
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    (job,) = workflow["jobs"].values()
    declared = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "3 :: " not in c]
    declared = sorted((v for v in declared if v.startswith("3.")), key=lambda v: int(v[2:]))
    matrix = [entry["python"] for entry in job["strategy"]["matrix"]["include"]]
    assert matrix == [declared[0], declared[-1]]
    assert PROJECT["requires-python"] == f">={declared[0]}"
    assert any(".ci/run" in step.get("run", "") for step in job["steps"])
