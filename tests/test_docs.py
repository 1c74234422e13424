"""README and documentation do what they say."""

import importlib
import json
import pkgutil
import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest

import sklearn_aeppt
from sklearn_aeppt._precomputed import PrecomputedClassifier

ROOT = Path(__file__).resolve().parents[1]
TEXTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
#: Packages that a page's snippets need beyond the core.
NEEDS = {
    "README.md": ["torch"],
    "auditing.md": ["distributed"],
    "deployment.md": ["skops"],
    "other_models.md": ["torch"],
}


def blocks(language, page):
    pattern = rf"^(?: *)```{language}\n(.*?)^ *```$"
    return re.findall(pattern, page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


PAGES = [page for page in TEXTS if blocks("python", page)]


@pytest.fixture
def run_page(tmp_path, monkeypatch):
    """Run the snippets of a page from top to bottom, in an empty folder; return their module."""

    def run(name):
        for package in NEEDS.get(name, ()):
            pytest.importorskip(package)
        page = next(page for page in PAGES if page.name == name)
        module = f"page_{page.stem}"
        code = "\n".join(blocks("python", page))
        (tmp_path / f"{module}.py").write_text(code, "utf-8")  # a module: checks pickle
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.chdir(tmp_path)
        return importlib.import_module(module)

    return run


def readme(page):
    assert (page.defended.predict(page.X) == page.model.predict(page.X)).all()
    assert page.search.best_estimator_.estimator_ is page.model
    assert page.report.verdict


def start(page):
    assert page.report.verdict and Path("audit.html").exists()


def records(page):
    assert page.blind_auc(*page.in_order) > 0.8
    assert abs(page.blind_auc(page.a, page.digits_a, page.b, page.digits_b) - 0.5) < 0.05
    assert len(page.X_unique) == len(page.X)


def evidence(page):
    assert page.again.headline == page.report.headline and Path("audit.html").exists()
    assert page.change.rows


def for_engineers(page):
    assert page.cost["labels_kept"] == 1 and Path("both.html").exists()


def for_privacy_officers(page):
    assert page.held["schema_version"]


def extending(page):
    guide = blocks("python", ROOT / "docs/extending.md")
    assert all(len(code.splitlines()) <= 30 for code in guide)
    p = np.random.default_rng(0).dirichlet(np.ones(5), 50)
    mixed = page.MixedClassifier(PrecomputedClassifier(np.arange(5)), share=0.3).fit(p[:25], p[25:])
    np.testing.assert_array_equal(mixed.perturb(p).argmax(axis=1), p.argmax(axis=1))


def attacks(page):
    assert page.auc.mean() >= 0 and page.variants["repeats"].shape[1] == 9


def equalized(page):
    assert 0 < page.bounded.advantage_bound_ <= 1
    assert page.frontier["l1"][0] > 0


def policies(page):
    assert page.report.policy["outcome"] == "fail" and page.strict["outcome"] == "fail"
    assert page.mine.structure["smallest_leaf"] == 10
    page.test_the_model_keeps_its_training_records_private(lambda name, value: None)


CHECKS = (readme, start, records, extending, attacks, equalized, policies, evidence)
CHECKS += (for_engineers, for_privacy_officers)


@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_snippets_run_as_they_stand(name, run_page):
    page = run_page(name)
    for check in CHECKS:
        if check.__name__ == Path(name).stem.lower():
            check(page)


@pytest.mark.parametrize("package", ["mlflow", "skore"])
def test_snippets_of_other_libraries_run_where_they_are(package, run_page, tmp_path, monkeypatch):
    library = pytest.importorskip(package)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "runs").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database takes all of MLflow
    (code,) = (
        code for code in blocks("py", ROOT / "docs/policies.md")
        if code.startswith((f"import {package}", f"from {package}"))
    )  # fmt: skip
    page = vars(run_page("policies.md"))
    exec(code, page)
    if package == "mlflow":
        (run,) = library.search_runs(output_format="list")
        assert run.data.tags["privacy"] == "fail"
        assert run.data.metrics["excess_at_least"] == page["report"].excess_at_least
    else:
        found = page["skore_report"].checks.summarize(ignore=["SKD008"]).frame("issue")
        assert "AEPPT001" in set(found["code"])


def test_files_on_the_page_of_policies_are_what_they_say(tmp_path, monkeypatch, capsys):
    yaml = pytest.importorskip("yaml")
    from sklearn_aeppt.__main__ import main
    from sklearn_aeppt.audit import load_policy

    policy, action, hook = map(yaml.safe_load, blocks("yaml", ROOT / "docs/policies.md"))
    assert load_policy(policy).waivers[1].where == "region=north"
    (ours,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    (used,) = hook["repos"][0]["hooks"]
    assert used["id"] == ours["id"] and ours["language"] == "system"
    (command,) = (
        step["run"] for step in action["jobs"]["audit"]["steps"] if "audit" in step.get("run", "")
        and not step["run"].startswith("pip")
    )  # fmt: skip
    for line in (shlex.split(command), [*ours["entry"].split(), *used["args"]]):
        program, *arguments = line
        assert program == "sklearn-aeppt"
        monkeypatch.chdir(tmp_path)  # there is no policy: all that comes before is understood
        assert main(arguments) == 2 and "policy.yaml" in capsys.readouterr().err


def test_every_page_with_snippets_that_the_issue_names_is_run():
    expected = {"README", "index", "start", "auditing", "records", "installation", "deployment"}
    assert expected | {"equalized", "attacks", "extending"} <= {page.stem for page in PAGES}


def test_the_page_of_the_schema_is_made_from_it():
    script = runpy.run_path(str(ROOT / "docs/report_schema.py"))
    page = (ROOT / "docs/report_schema.md").read_text("utf-8")
    assert page == script["page"]()  # python docs/report_schema.py
    assert page.count("\n| `") > 200


def test_no_page_splits_digits_in_file_order():
    # the first half of that file differs from the second: records.md has the figure
    for page in (*TEXTS, *ROOT.glob("examples/plot_*.py")):
        assert not re.search(r"X\[:\d+\]", page.read_text("utf-8")), page.name


def test_first_two_shell_blocks_are_the_two_set_ups():
    first, second = blocks("sh", ROOT / "README.md")[:2]
    assert first.rstrip().endswith("sklearn-aeppt demo")
    assert "-m pytest" in second.rstrip().splitlines()[-1]
    for block in (first, second):
        assert block.startswith("python3 -m venv")
        torch, rest = block.index("torch=="), block.index("[torch,")
        assert torch < rest and "-c constraints.txt" in block  # the CPU build before what needs it


def documented_names():
    """Return the names on the API page, each with its module, in order."""
    names, module = [], None
    for line in (ROOT / "docs/api.md").read_text("utf-8").splitlines():
        if line.startswith(".. currentmodule::"):
            module = line.split()[-1]
        elif re.fullmatch(r"   \w+", line):
            names.append(f"{module}.{line.strip()}")
    return names


def public_names():
    """Return the names in every public module's `__all__`, those of the top level once."""
    modules = {info.name for info in pkgutil.iter_modules(sklearn_aeppt.__path__)}
    top = set(sklearn_aeppt.__all__) - modules
    names = {f"sklearn_aeppt.{name}" for name in top}
    for name in sorted(modules):
        if not name.startswith("_"):
            public = getattr(importlib.import_module(f"sklearn_aeppt.{name}"), "__all__", ())
            names |= {f"sklearn_aeppt.{name}.{member}" for member in set(public) - top}
    return names


def test_the_api_page_equals_all():
    pytest.importorskip("torch")
    documented = documented_names()
    assert len(documented) == len(set(documented))
    assert set(documented) == public_names()


def test_links_of_the_docs_lead_somewhere():
    for page in TEXTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            if not target.startswith("auto_examples"):  # made with the site, which checks them
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_links_of_the_readme_are_absolute():
    # it is shown on a package index too, where a relative link leads nowhere
    targets = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert targets and all(target.startswith("https://") for target in targets)


def test_figures_of_the_readme_are_those_of_the_pages():
    readme_text = (ROOT / "README.md").read_text("utf-8")
    equalized_text = (ROOT / "docs/equalized.md").read_text("utf-8")
    table = equalized_text.split("### location30", 1)[1].split("###", 1)[0]
    rows = {
        "no defense": "none",
        "`AEPPTClassifier(model)`": "AEPPT, auto",
        "`MemGuardClassifier(model)`": "MemGuard",
        "**`EqualizedClassifier(model)`**": "equalized, cost log loss",
        'smallest perturbation: `cost="l1"`': "equalized, cost L1",
        'order kept: `constraint="attack_accuracy", rank_weight=0.25`': (
            "equalized for accuracy, ordered 0.25"
        ),
        "bounded per record: `pairwise_delta=0.2`": "equalized, rows within 0.2",
        'with a bound for every attack: `other_classes="template"`': "equalized, template",
    }
    for shown, name in rows.items():
        cells = next(r for r in table.splitlines() if r.startswith(f"| {name} |")).split("|")
        excess, l1, loss, auc = (cells[i].strip() for i in (4, 6, 7, 9))
        line = next(r for r in readme_text.splitlines() if r.startswith(f"| {shown} |"))
        here = [cell.strip().strip("*") for cell in line.split("|")]
        assert [here[2], *here[4:7]] == [excess, l1, loss, auc], shown


def test_figures_below_the_floor_are_those_of_the_result():
    result = json.loads((ROOT / "docs/results/out_of_fold.json").read_text("utf-8"))
    runs = [row for title, rows in result["tables"].items() if title[:4] == "runs" for row in rows]

    def cells(data):
        rows = [row for row in runs if row["data"] == data]
        for key, percent in (
            ("strongest", True), ("strongest, hostile", True), ("one answer", True),
            ("accuracy on new records", True), ("log loss", False), ("ECE", False),
            ("AUC of confidence", False),
        ):  # fmt: skip
            found = np.array([row[key] for row in rows]) * (100 if percent else 1)
            digits = 1 if percent else 3
            yield f"{found.mean():.{digits}f} ± {found.std(ddof=1):.{digits}f}"

    page = (ROOT / "docs/below_the_floor.md").read_text("utf-8")
    shown = [line.split("|") for line in page.splitlines() if line.count("|") == 10][2:]
    names = list(dict.fromkeys(row["data"] for row in runs))
    assert len(shown) == len(names)
    for data, line in zip(names, shown):
        assert [cell.strip() for cell in line[3:10]] == list(cells(data)), data
    readme = (ROOT / "README.md").read_text("utf-8")
    for choice, title in {
        "`EqualizedClassifier(model)`": "equalized",
        "**`OutOfFoldClassifier(model)`**": "out of fold",
    }.items():
        line = next(row for row in readme.splitlines() if row.startswith(f"| {choice} |"))
        here = [cell.strip().strip("*") for cell in line.split("|")]
        strongest, hostile, _, accuracy, *_ = cells(f"location30: {title}")
        assert here[2:5] == [strongest, hostile, accuracy]


def test_figures_of_the_page_of_policies_are_those_of_the_result():
    tables = json.loads((ROOT / "docs/results/policies.json").read_text("utf-8"))["tables"]
    page = (ROOT / "docs/policies.md").read_text("utf-8")
    for row in tables["policies"]:
        cells = row["data"], f"`{row['policy']}`", row["fail"], row["void"], row["pass"]
        assert f"| {' | '.join(map(str, cells))} |" in page
    leak, other = (
        {row["limit at random guessing on"]: row for row in tables["limits"] if row["data"] == data}
        for data in ("forest that leaks", "random membership")
    )
    for rule, row in other.items():
        shown = (f"{one['exceeded']} of {one['seeds']}" for one in (row, leak[rule]))
        assert f"| `{rule}` | {' | '.join(shown)} |" in page
    excess = next(row for row in tables["policies"] if row["data"] == "forest that leaks")
    assert f"is {100 * excess['its excess']:.1f} points above the floor" in page
    assert f"erred in {other['epsilon']['exceeded']} of {other['epsilon']['seeds']} here" in page
    false = sum(row["fail"] for row in tables["policies"]
                if (row["data"], row["policy"]) == ("random membership", "default"))  # fmt: skip
    assert false == 0  # the page says none


def test_figures_of_the_comparison_are_those_of_the_result():
    result = json.loads((ROOT / "docs/results/worsening.json").read_text("utf-8"))
    page = (ROOT / "docs/evidence.md").read_text("utf-8")
    names = {"equal, retrained": "equal, trained again with another seed", "worse": "leaks more"}
    rows = result["tables"]["worsening"]
    for row in rows:
        cells = [names[row["later model"]], row["suite"], f"{row['points gained']:.1f}"]
        assert f"| {' | '.join(cells)} | {row['called worse']} of {row['seeds']} |" in page
    by_name = {(row["later model"], row["suite"]): row for row in rows}
    unpaired = by_name["worse", "quick"]["called worse, unpaired"]
    assert f"would have found {unpaired} of 10" in " ".join(page.split())
    assert by_name["equal, retrained", "quick"]["called worse at 95 %"] == 1


def test_the_picture_of_the_front_page_is_drawn_from_its_result():
    pytest.importorskip("matplotlib")
    script = runpy.run_path(str(ROOT / "docs/front_page.py"))
    accuracies, floor = script["read_accuracies"](ROOT / "docs/results/equalized.json")
    script["draw"](accuracies, floor)
    text = re.search(r"!\[(.*?)\]", (ROOT / "docs/index.md").read_text("utf-8")).group(1)
    figures = [float(f) for f in re.findall(r"[\d.]+(?= %| and)", text)]
    drawn = [round(x) for pair in accuracies.values() for x in pair]
    assert figures == [*drawn, round(floor, 1)]


def test_text_names_no_machine():
    for page in (*TEXTS, *ROOT.glob("docs/results/*.md")):
        assert not re.search(r"/(root|work|home)/", page.read_text("utf-8")), page.name


ARCHAIC = re.compile(
    r"\b(mends?|mended|he|him|his|whom|by heart|at hand|amiss|beside the peers|is no such"
    r"|is no (?:class|column|probability|member|expert)\w*|minds? (?:the|such|it))\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_the_english_is_of_today(page):
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    assert not (found := ARCHAIC.findall(prose)), found


@pytest.mark.slow  # and each build of the documentation runs them
@pytest.mark.parametrize("example", sorted(ROOT.glob("examples/plot_*.py")), ids=lambda p: p.stem)
def test_examples_run(example, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(pyplot, "show", lambda: None)
    code = example.read_text()
    if any(word in code for word in ("torch", "AEPPTClassifier", "MIMAttack", "NetworkClassifier")):
        pytest.importorskip("torch")
    exec(compile(code, example.name, "exec"), {})
    assert pyplot.get_fignums()
    pyplot.close("all")
