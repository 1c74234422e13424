"""What importing costs, and what works without torch and skorch."""

import ast
import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import resolve_name
from pathlib import Path

import numpy as np
import pytest
from extras import needs_torch, torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

import sklearn_aeppt
from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.attacks import query
from sklearn_aeppt.audit import AuditReport

ROOT = Path(sklearn_aeppt.__file__).parent
FILES = {
    ".".join(file.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(ROOT.rglob("*.py"))
}
MODULES = sorted(set(FILES) - {"sklearn_aeppt"})
PACKAGES = ("", ".attacks", ".audit", ".datasets", ".defenses", ".displays", ".metrics")
PACKAGE_NAMES = [f"sklearn_aeppt{package}" for package in PACKAGES]
HEAVY = ("numpy", "scipy", "sklearn", "torch", "skorch")
WITHOUT_TORCH = "import no_torch; no_torch.block()\n"


def python(code, *arguments):
    """Run code in a new process; return what it prints."""
    here = [str(ROOT.parent), str(Path(__file__).parent)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(here), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error::ImportWarning", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cost(statement, before="pass"):
    """Return (CPU seconds, MB) that a statement takes in a new process, the best of three."""
    code = (
        "import json, time\n"
        "def memory():\n"
        "    return int(open('/proc/self/statm').read().split()[1]) * 4096 / 2**20\n"
        f"{before}\n"
        "start = time.process_time(), memory()\n"
        f"{statement}\n"
        "print(json.dumps([time.process_time() - start[0], memory() - start[1]]))\n"
    )
    return np.min([json.loads(python(code)) for _ in range(3)], axis=0)


def loaded(code, *arguments):
    """Return which of the heavy packages are loaded after some code."""
    out = python(f"{code}\nimport sys\nprint([n for n in {HEAVY} if n in sys.modules])", *arguments)
    return ast.literal_eval(out.strip().splitlines()[-1])


linux = pytest.mark.skipif(sys.platform != "linux", reason="memory as Linux tells it")


@linux
def test_the_package_itself_costs_nothing():
    assert cost("import sklearn_aeppt")[0] < 0.1
    assert loaded("import sklearn_aeppt; dir(sklearn_aeppt); sklearn_aeppt.__version__") == []


@linux
def test_equalized_costs_little_over_scikit_learn():
    seconds, megabytes = cost(
        "from sklearn_aeppt import EqualizedClassifier", "import sklearn.linear_model"
    )
    assert seconds < 0.3 and megabytes < 20


def test_a_saved_model_is_loaded_and_asked_without_torch(tmp_path):
    skops = pytest.importorskip("skops.io")
    X, y = load_digits(return_X_y=True)
    forest = RandomForestClassifier(5, random_state=0).fit(X[:900], y[:900])
    defended = EqualizedClassifier(forest, random_state=0)
    skops.dump(defended.fit(X[:900], X[900:]), tmp_path / "defended.skops")
    found = loaded(
        "import sys\n"
        "from sklearn_aeppt._files import load_model\n"
        "from sklearn.datasets import load_digits\n"
        "load_model(sys.argv[1]).predict_proba(load_digits().data)",
        tmp_path / "defended.skops",
    )
    assert not {"torch", "skorch"} & set(found)


@needs_torch
def test_an_attack_is_trained_without_torchs_compiler():
    out = python(
        "import sys\n"
        "import numpy as np\n"
        "from sklearn_aeppt.attacks import MIMAttack\n"
        "proba = np.random.default_rng(0).dirichlet(np.ones(3), 40)\n"
        "MIMAttack('substitute', max_epochs=2).fit(proba, np.arange(40) % 2)\n"
        "print('torch._dynamo' in sys.modules, 'torch' in sys.modules)"
    )
    assert out == "False True\n"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["audit", "--help"], 0),
        (["adit"], 2),
        (["audit", "--no-such-option"], 2),
        (["experiment", "list"], 0),
        (["experiment", "tabel2"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_and_typing_errors_answer_at_once(arguments, status):
    code = (
        "import sys, time\n"
        "from sklearn_aeppt.__main__ import main\n"
        "try:\n"
        f"    status = main({arguments})\n"
        "except SystemExit as end:\n"
        "    status = end.code\n"
        f"assert status == {status}, status\n"
        "assert time.process_time() < 0.3\n"
    )
    assert loaded(code) == []


def test_version_is_said():
    out = python("from sklearn_aeppt.__main__ import main\nmain(['--version'])")
    assert out == f"sklearn-aeppt {sklearn_aeppt.__version__}\n"


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_there_and_listed(package):
    package = import_module(f"sklearn_aeppt{package}")
    assert package.__all__ == sorted(package.__all__) == dir(package)
    with pytest.raises(AttributeError, match="has no attribute 'nonesuch'"):
        _ = package.nonesuch
    for name in package.MODULES:
        module = name_in_package(f"{package.__name__}.{name}")
        if torch is None and needs_the_door(module):
            with pytest.raises(ImportError, match=r"pip install 'sklearn-aeppt\[torch\]'"):
                getattr(package, name)
        else:
            assert getattr(package, name) is getattr(import_module(module), name)


@pytest.mark.slow  # two hundred imports of everything
@pytest.mark.parametrize("there", [False, pytest.param(True, marks=needs_torch)])
def test_every_module_can_be_imported_first(there):
    """No circle of imports: each module alone, none of the others loaded before."""
    code = (
        "import sys\n"
        "from importlib import import_module\n"
        "import sklearn.ensemble, sklearn.model_selection, sklearn.neighbors\n"
        "for name in sys.argv[1:]:\n"
        "    for module in [m for m in sys.modules if m.partition('.')[0] == 'sklearn_aeppt']:\n"
        "        del sys.modules[module]\n"
        "    import_module(name)\n"
    )
    start = "import skorch\n" if there else WITHOUT_TORCH
    python(start + code, *(name for name in MODULES if needs_the_door(name) == there))


def imports(name, *, late=False):
    """Return the modules that a module imports at its top, or also inside of its functions."""
    tree = ast.parse(FILES[name].read_text())
    nodes = ast.walk(tree) if late else tree.body
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def needs_the_door(name, seen=()):
    """Return whether a module cannot be imported without torch."""
    if name.startswith("sklearn_aeppt._nets"):
        return True
    found = {name_in_package(one) for one in imports(name)}
    inner = [one for one in found if one in MODULES and one not in seen]
    return any(needs_the_door(one, (*seen, name)) for one in inner)


def name_in_package(name):
    """Return the module that an imported name comes from, where a package imports it late."""
    package, _, attribute = name.rpartition(".")
    modules = getattr(import_module(package), "MODULES", {}) if package in PACKAGE_NAMES else {}
    if attribute not in modules:
        return name
    module = resolve_name(f".{modules[attribute]}", package)
    return name_in_package(f"{module}.{attribute}") if module in PACKAGE_NAMES else module


@pytest.mark.parametrize("name", MODULES)
def test_torch_has_one_door(name):
    if name.startswith("sklearn_aeppt._nets"):
        return
    outside = {one.partition(".")[0] for one in imports(name)} & {"torch", "skorch"}
    assert not outside, f"{name} imports {outside}: take them from sklearn_aeppt._nets"


#: Modules beside those that all share, which run the library as its commands do.
COMMANDS = ("__main__", "_demo", "_files", "_report_command")


def test_data_flows_one_way():
    """Target -> query -> attack -> score: attacks know no defense, what all share knows neither."""
    shared = [
        name for name in MODULES
        if name.count(".") == 1 and name.split(".")[1].startswith("_")
        and name.removeprefix("sklearn_aeppt.") not in COMMANDS
    ]  # fmt: skip
    for room, forbidden in (
        (shared, ("attacks", "defenses", "audit", "metrics", "displays")),
        ([m for m in MODULES if ".attacks." in m], ("defenses", "audit", "metrics", "displays")),
        ([m for m in MODULES if ".defenses." in m], ("audit", "displays", "paper")),
        ([m for m in MODULES if "._nets" in m], ("attacks", "defenses", "audit", "networks")),
    ):
        for name in room:
            for one in imports(name, late=True):
                parts = (one or "").split(".")
                wrong = parts[0] == "sklearn_aeppt" and len(parts) > 1 and parts[1] in forbidden
                assert not wrong, f"{name} imports {one}"


@pytest.mark.parametrize(
    "statement",
    [
        "from sklearn_aeppt import AEPPTClassifier",
        "from sklearn_aeppt.attacks import MIMAttack",
        "from sklearn_aeppt.defenses import MemGuardClassifier",
        "from sklearn_aeppt.defenses import DropoutClassifier",
        "from sklearn_aeppt.networks import NetworkClassifier",
        "import sklearn_aeppt; sklearn_aeppt.AEPPTClassifier",
    ],
)
def test_what_needs_torch_says_how_to_get_it(statement):
    code = (
        "try:\n"
        f"    {statement}\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )  # fmt: skip
    assert "pip install 'sklearn-aeppt[torch]'" in python(WITHOUT_TORCH + code)


def test_protect_audit_and_report_without_torch(tmp_path):
    pytest.importorskip("skops.io")
    X, y = load_digits(return_X_y=True)
    for name, rows in (("members", slice(0, 300)), ("others", slice(300, 600))):
        np.savez(tmp_path / f"{name}.npz", X=X[rows], y=y[rows])
    code = (
        "import os, sys\n"
        "import numpy as np\n"
        "from skops.io import dump\n"
        "from sklearn.ensemble import RandomForestClassifier\n"
        "from sklearn_aeppt.__main__ import main\n"
        "os.chdir(sys.argv[1])\n"
        "with np.load('members.npz') as z:\n"
        "    dump(RandomForestClassifier(10, random_state=0).fit(z['X'], z['y']), 'forest.skops')\n"
        "given = ['--members', 'members.npz', '--non-members', 'others.npz', '--seed', '0']\n"
        "assert main(['protect', *given, '--model', 'forest.skops', '--out', 'safe.skops']) == 0\n"
        "options = ['--model', 'safe.skops', '--out']\n"
        "assert main(['audit', *given, *options, 'r.html']) == 0\n"
        "assert main(['audit', *given, *options, 'r.json', '--format', 'json']) == 0\n"
        "assert main(['demo', '--data', 'members.npz', '--out', 'd.png']) == 0\n"
    )
    shown = python(WITHOUT_TORCH + code, tmp_path)
    assert "attack: GradientBoostingAttack" in shown
    assert "network (MIM0)" in shown and "not run: This needs torch and skorch" in shown
    assert "not run: This needs torch" in (tmp_path / "r.html").read_text()
    results = json.loads((tmp_path / "r.json").read_text())["results"]
    not_run = {row["attack"]: row["not_run"] for row in results if "not_run" in row}
    networks = {name for name in not_run if name.startswith("network")}
    assert len(networks) == 3 and "pip install" in not_run["network (MIM0)"]


def test_a_view_is_sliced_alike_without_skorch():
    from sklearn_aeppt._slices import PlainSliceDict

    view = PlainSliceDict(proba=np.eye(3), label=np.arange(3))
    assert len(view) == 3 and view.shape == (3,)
    for rows in (slice(1, 3), np.array([1, 2]), np.array([False, True, True])):
        np.testing.assert_array_equal(view[rows]["label"], [1, 2])
    with pytest.raises(ValueError, match=r"one record with a slice, \[1:2\]"):
        view[1]
    with pytest.raises(ValueError, match="extra has 2 rows and the others 3"):
        view["extra"] = np.zeros(2)
    X, y = load_digits(return_X_y=True)
    model = RandomForestClassifier(2, random_state=0).fit(X, y)
    assert isinstance(query(model, X[:5]), dict)


def rows(**more):
    row = {
        "attack": "mine", "adaptive": True, "labels_only": False, "variants": False,
        "per_record": False, "accuracy": 0.6, "low": 0.55, "high": 0.65, "excess": 0.1,
        "excess_low": 0.05, "excess_high": 0.15,
        "auc": 0.6, "tpr_at_0.01_fpr": None, "tpr_at_0.001_fpr": None, "tnr_at_0.01_fnr": None,
    }  # fmt: skip
    return {**row, **more}


def test_a_report_carries_what_was_not_run(tmp_path):
    pytest.importorskip("matplotlib")
    absent = {"attack": "<net>", "not_run": "no torch & no skorch"}
    report = AuditReport("m", [rows(), absent], rows(), 0.5, 0.9, 0.8, 10, 10, False, {}, [])
    assert report.ran == [rows()] and report.not_run == [absent]
    assert "<net>" in str(report) and "not run: no torch & no skorch" in str(report)
    frame = report.to_frame()
    assert list(frame["attack"]) == ["mine", "<net>"] and frame["not_run"][1] == absent["not_run"]
    assert json.loads(report.to_json())["results"][1] == absent
    page = report.to_html(tmp_path / "r.html").read_text()
    assert "not run: no torch &amp; no skorch" in page and "&lt;net&gt;" in page
    ax = report.plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["<net>", "mine"]
    assert "not run" in [text.get_text().strip() for text in ax.texts]
