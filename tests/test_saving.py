"""Files come whole or not at all; caches are private, say nothing in clear and are never stale."""

import errno
import json
import os
import pickle
import stat
import subprocess
import sys
import threading
from functools import partial
from types import ModuleType

import joblib
import numpy as np
import pytest

pytest.importorskip("torch")

from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from examples.studies import run_study, simplex
from examples.studies._data import images, tables
from sklearn_aeppt import _remember, _saving
from sklearn_aeppt.__main__ import main
from sklearn_aeppt._code_of import code_of
from sklearn_aeppt._demo import draw
from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt._saving import private_folder, read_records, write_text, writing
from sklearn_aeppt._tables import load_records
from sklearn_aeppt.attacks import LiRAAttack, ThresholdAttack, query
from sklearn_aeppt.audit import audit
from sklearn_aeppt.networks import NetworkClassifier

posix = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def full_disk(monkeypatch):
    """Every write to a file of ours fails, and has written half of what it was given."""

    def opened(descriptor, *args):
        file = open(descriptor, *args, closefd=True, buffering=0)  # noqa: SIM115

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *error):
                file.close()

            def write(self, content):
                file.write(bytes(content)[: len(content) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")

            def __getattr__(self, name):
                return getattr(file, name)

        return Full()

    monkeypatch.setattr(_saving.os, "fdopen", opened)


def test_a_text_is_utf_8_and_takes_the_place_of_another(tmp_path):
    file = tmp_path / "report.html"
    for text in ("old", "größer, 大, \ud800"):
        write_text(file, text)
    assert file.read_text(encoding="utf-8") == "größer, 大, \\ud800"
    assert os.listdir(tmp_path) == ["report.html"]


@posix
def test_modes(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "report", "a")
        write_text(tmp_path / "key", "a", private=True)
    finally:
        os.umask(before)
    assert (mode(tmp_path / "report"), mode(tmp_path / "key")) == (0o640, 0o600)
    (tmp_path / "report").chmod(0o600)
    write_text(tmp_path / "report", "b")  # somebody did not want it read
    (tmp_path / "key").chmod(0o644)
    write_text(tmp_path / "key", "b", private=True)
    assert (mode(tmp_path / "report"), mode(tmp_path / "key")) == (0o600, 0o600)


def test_links_and_devices_are_followed(tmp_path):
    (tmp_path / "there").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "there").read_text() == "new"
    write_text(os.devnull, "nothing")
    assert not os.path.isfile(os.devnull)
    program = "from sklearn_aeppt._saving import write_text; write_text('/dev/stdout', 'piped')"
    if os.path.exists("/dev/stdout"):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        assert done.stdout == b"piped"


@pytest.mark.parametrize("private", [False, True])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, private):
    file = tmp_path / "a.json"
    for old in (None, "old"):
        if old is not None:
            file.write_text(old)
        for error in (RuntimeError, KeyboardInterrupt):
            with pytest.raises(error), writing(file, private=private) as out:
                out.write(b"half")
                raise error
        assert os.listdir(tmp_path) == ([] if old is None else ["a.json"])
    assert file.read_text() == "old"


def test_a_missing_folder_is_named_as_it_was_given(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none/a\.json"):
        write_text(tmp_path / "none" / "a.json", "a")
    with pytest.raises(IsADirectoryError):
        write_text(tmp_path, "a")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    X = X + np.random.default_rng(0).normal(0, 0.01, X.shape)  # no two records are equal
    return LogisticRegression(max_iter=500).fit(X[::2], y[::2]), X, y


@pytest.fixture(scope="module")
def report(iris):
    model, X, y = iris
    return audit(model, X[::2], y[::2], X[1::2], y[1::2], [ThresholdAttack()], random_state=0)


def _network(file):
    X, y = load_iris(return_X_y=True)
    NetworkClassifier(hidden_layer_sizes=(4,), max_epochs=1, checkpoint=file, random_state=0).fit(
        X, y
    )


def _picture(file):
    views = {"undefended": {"proba": np.eye(4)}}
    keys = [("undefended",) * 2, ("undefended", "AEPPT"), ("AEPPT",) * 2, ("equalized",) * 2]
    draw(file, views, np.arange(4) < 2, dict.fromkeys(keys, (2, 4)), 0.5, "MIMAttack")


@pytest.mark.parametrize("kind", ["json", "html", "comparison", "checkpoint", "picture"])
def test_a_full_disk_leaves_what_was_there(report, tmp_path, full_disk, kind):
    from sklearn_aeppt.audit import AuditComparison

    file = tmp_path / "old"
    file.write_bytes(b"PK\x03\x04")  # for the checkpoint: damaged
    write = {
        "json": lambda: report.to_json(file),
        "html": lambda: report.to_html(file),
        "comparison": lambda: AuditComparison({"a": report}, {"a": 0.0}).to_html(file),
        "checkpoint": lambda: _network(file),
        "picture": lambda: _picture(file),
    }[kind]
    if kind == "picture":
        pytest.importorskip("matplotlib")
    if kind == "checkpoint":
        # torch says it in its own words when the file under it fails
        with pytest.warns(UserWarning, match="is damaged"), pytest.raises((OSError, RuntimeError)):
            write()
    else:
        with pytest.raises(OSError, match="No space left"):
            write()
    assert file.read_bytes() == b"PK\x03\x04" and os.listdir(tmp_path) == ["old"]


def _saved_model_and_tables(folder):
    io = pytest.importorskip("skops.io")
    X, y = load_iris(return_X_y=True)
    io.dump(GaussianNB().fit(X[::2], y[::2]), folder / "model.skops")
    np.savez(folder / "members.npz", X=X[::2], y=y[::2])
    np.savez(folder / "others.npz", X=X[1::2], y=y[1::2])
    return [
        "protect", "--model", str(folder / "model.skops"), "--members",
        str(folder / "members.npz"), "--non-members", str(folder / "others.npz"),
    ]  # fmt: skip


@posix
def test_a_protected_model_is_for_its_owner(tmp_path, capsys):
    command = _saved_model_and_tables(tmp_path)
    assert main([*command, "--out", str(tmp_path / "defended.skops")]) == 0
    assert mode(tmp_path / "defended.skops") == 0o600
    assert "readable by you only" in capsys.readouterr().out


def test_a_full_disk_keeps_the_old_protected_model(tmp_path, full_disk, capsys):
    command = _saved_model_and_tables(tmp_path)
    (tmp_path / "defended.skops").write_text("old")
    assert main([*command, "--out", str(tmp_path / "defended.skops")]) == 2
    assert "No space left" in capsys.readouterr().err
    assert (tmp_path / "defended.skops").read_text() == "old"
    assert len(os.listdir(tmp_path)) == 4


def test_a_full_disk_keeps_the_old_results(tmp_path, full_disk, monkeypatch):
    monkeypatch.setattr(simplex, "run", lambda scale, seed: {"runs": [{"one": 1.0}]})
    (tmp_path / "simplex.json").write_text("{}")
    with pytest.raises(OSError, match="No space left"):
        run_study("simplex", scale="smoke", out=tmp_path)
    assert (tmp_path / "simplex.json").read_text() == "{}"
    assert [name for name in os.listdir(tmp_path) if name.endswith(".part")] == []


def test_files_do_not_depend_on_the_language_of_the_machine(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("größe,class\n1,大\n2,b\n", encoding="utf-8")
    program = (
        "import sys\n"
        "from sklearn_aeppt._tables import load_records\n"
        "from sklearn_aeppt._saving import write_text\n"
        "X, y = load_records(sys.argv[1])\n"
        "write_text(sys.argv[2], X.columns[0] + y[0])\n"
    )
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-c", program, str(table), str(out)], check=True, env=env)
    assert out.read_text(encoding="utf-8") == "größe大"
    table.write_text("größe,class\n1,a\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"t\.csv is not UTF-8"):
        load_records(table)


# caches


def double(x, *, by=2):
    double.calls += 1
    return by * x


double.calls = 0


def test_a_result_is_found_again_and_its_folder_is_private(tmp_path):
    double.calls = 0
    memory = open_memory(str(tmp_path / "cache"))
    for _ in range(2):
        assert remembered(memory, partial(double, 21))() == 42
        assert remembered(memory, partial(double, np.float64(1)))() == 2
    assert double.calls == 2
    assert remembered(open_memory(None), partial(double, 21))() == 42 and double.calls == 3
    if os.name == "posix":
        assert mode(tmp_path / "cache") == 0o700
        assert mode(tmp_path / "cache" / "joblib") == 0o700


@posix
def test_a_memory_of_ones_own_becomes_private_where_joblib_writes(tmp_path):
    memory = joblib.Memory(str(tmp_path / "cache"), verbose=0)
    assert open_memory(memory) is memory
    assert mode(tmp_path / "cache" / "joblib") == 0o700
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_saving.Path, "chmod", _refuse)
        with pytest.raises(PermissionError, match="choose a folder of your own"):
            private_folder(tmp_path / "cache")


def _refuse(self, mode):
    raise PermissionError(errno.EPERM, "Operation not permitted", str(self))


def test_a_memory_map_is_the_same_as_its_array(tmp_path):
    double.calls = 0
    memory = open_memory(str(tmp_path / "cache"))
    array = np.arange(5.0)
    np.save(tmp_path / "a.npy", array)
    for same in (array, np.load(tmp_path / "a.npy", mmap_mode="r")):
        np.testing.assert_array_equal(remembered(memory, partial(double, same))(), 2 * array)
    assert double.calls == 1


def test_a_damaged_result_is_made_again(tmp_path):
    double.calls = 0
    memory = open_memory(str(tmp_path / "cache"))
    remembered(memory, partial(double, 21))()
    (saved,) = (tmp_path / "cache").rglob("output.pkl")
    for broken in (b"", saved.read_bytes()[:-3]):
        saved.write_bytes(broken)
        assert remembered(memory, partial(double, 21))() == 42
    assert double.calls == 3


def attack_of(version, name="Attack"):
    """Return an attack class of a name, of which there are two versions."""
    source = (
        "from sklearn_aeppt.attacks import ThresholdAttack\n"
        f"class {name}(ThresholdAttack):\n"
        "    def decision_function(self, X):\n"
        f"        return super().decision_function(X) * {version} + {version}\n"
    )
    module = ModuleType("attack_module")
    exec(source, vars(module))
    sys.modules["attack_module"] = module
    return getattr(module, name)()


def test_a_changed_attack_is_run_again(iris, tmp_path):
    model, X, y = iris
    sides = X[::2], y[::2], X[1::2], y[1::2]

    def auc(version):
        options = {"memory": str(tmp_path / "cache"), "random_state": 0}
        return audit(model, *sides, [attack_of(version)], **options).results[0]["auc"]

    try:
        assert auc(1) != auc(-1)
        assert auc(1) == auc(1)
    finally:
        del sys.modules["attack_module"]
    results = len(list((tmp_path / "cache").rglob("output.pkl")))
    assert results == 4  # of two attacks, for two halves of the records


def test_the_code_that_counts():
    same = code_of(clone(ThresholdAttack()), LogisticRegression(), np.ones(3))
    assert same == code_of(ThresholdAttack(), LogisticRegression(), np.zeros(2))
    pickle.dumps(LogisticRegression())  # Python notes things on the class as it goes
    assert same == code_of(ThresholdAttack(), LogisticRegression(), None)
    assert same != code_of(LogisticRegression())
    assert code_of(partial(double, 1)) == code_of(double)

    def inside(value, seen=3):
        class Kept(BaseEstimator):
            level = seen

            @property
            def twice(self):
                return value

            @staticmethod
            def call():
                return {"a", "b", 1} & {value}

        return Kept()

    assert code_of(inside(1)) == code_of(inside(1)) != code_of(inside(2))
    assert code_of(inside(1)) != code_of(inside(1, seen=4))
    assert code_of([{"a": inside(1)}]) == code_of(inside(1))


def function_of(source, **given):
    """Return the function ``statistic`` of a module of the user's own."""
    module = ModuleType("statistic_module")
    vars(module).update(given)
    exec("def statistic(proba, label):\n    return " + source, vars(module))
    sys.modules["statistic_module"] = module
    return module.statistic


READS = {
    "number": ("SIGN * proba.max(axis=1)", "SIGN", 1, -1),
    "array": ("SIGN[0] * proba.max(axis=1)", "SIGN", np.ones(3), -np.ones(3)),
    "in a dict": ("d['s'][0] * proba.max(axis=1)", "d", {"s": [1]}, {"s": [-1]}),
    "function": (
        "f(proba, label)",
        "f",
        function_of("proba.max(axis=1)"),
        function_of("-proba.max(1)"),
    ),
    "bound to its values": ("f(proba)", "f", partial(np.max, axis=1), partial(np.min, axis=1)),
    "inside": ("sum(s * proba[:, 0] for s in [SIGN for i in (0,)])", "SIGN", 1, -1),
}


@pytest.mark.parametrize("source, name, one, other", READS.values(), ids=READS)
def test_what_a_function_reads_counts(iris, tmp_path, source, name, one, other):
    model, X, y = iris
    sides = X[::2], y[::2], X[1::2], y[1::2]

    def auc(value, memory):
        attack = ThresholdAttack(function_of(source, **{name: value}), per_class=False)
        return audit(model, *sides, [attack], memory=memory, random_state=0).results[0]["auc"]

    try:
        kept = [auc(value, str(tmp_path / "cache")) for value in (one, other, one, other)]
        assert kept == [auc(value, None) for value in (one, other, one, other)]
        assert kept[0] != kept[1]
        assert len(list((tmp_path / "cache").rglob("output.pkl"))) == 4
    finally:
        del sys.modules["statistic_module"]


def test_what_a_module_or_a_class_of_ones_own_holds_counts():
    helper = ModuleType("helper_module")
    sys.modules["helper_module"] = helper

    class Weighs(ThresholdAttack):
        weights = np.ones(3)

        def decision_function(self, X):
            return helper.sign * super().decision_function(X)

    try:
        found = set()
        for helper.sign, Weights in ((1, np.ones(3)), (-1, np.ones(3)), (1, np.zeros(3))):
            Weighs.weights = Weights
            found.add(code_of(Weighs()))
        assert len(found) == 3
        helper.unused = 3
        assert code_of(Weighs()) in found
    finally:
        del sys.modules["helper_module"]


def test_what_has_no_hash_is_not_kept_and_said(iris, tmp_path):
    model, X, y = iris
    sides, cache = (X[::2], y[::2], X[1::2], y[1::2]), str(tmp_path / "cache")

    def made(sign):
        return lambda proba, label: sign * proba[:, 0]

    def auc(statistic, memory=None):
        attack = ThresholdAttack(statistic, per_class=False)
        return audit(model, *sides, [attack], memory=memory, random_state=0).results[0]["auc"]

    locked = function_of("proba[:, 0] * (LOCK is not None)", LOCK=threading.Lock())
    try:
        for statistic in (made(1), made(-1), locked):
            with pytest.warns(UserWarning, match=r"memory: a result is not kept"):
                assert auc(statistic, cache) == auc(statistic)
    finally:
        del sys.modules["statistic_module"]
    assert not list((tmp_path / "cache").rglob("output.pkl"))

    view, member = query(model, X, y), np.arange(len(X)) % 2 == 0
    options = {"n_shadow_models": 4, "random_state": 0}
    template = make_pipeline(FunctionTransformer(lambda X: X), GaussianNB())
    with pytest.warns(UserWarning, match=r"memory: a result is not kept"):
        kept = LiRAAttack(template, memory=cache, **options).fit(view, member)
        kept = kept.decision_function(view)
    np.testing.assert_array_equal(
        kept, LiRAAttack(template, **options).fit(view, member).decision_function(view)
    )


def test_another_version_of_the_library_starts_anew(tmp_path, monkeypatch):
    double.calls = 0
    memory = open_memory(str(tmp_path / "cache"))
    remembered(memory, partial(double, 21))()
    monkeypatch.setattr(_remember, "__version__", "0.0")
    remembered(memory, partial(double, 21))()
    assert double.calls == 2


def test_a_key_is_the_same_in_every_process(tmp_path):
    program = (
        "from sklearn_aeppt._code_of import code_of\n"
        "from sklearn_aeppt.attacks import GradientBoostingAttack, LiRAAttack, MIMAttack\n"
        "from sklearn.ensemble import RandomForestClassifier\n"
        "attacks = LiRAAttack(RandomForestClassifier()), MIMAttack(), GradientBoostingAttack()\n"
        "print(code_of(*attacks))\n"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in "12"
    }  # fmt: skip
    assert len(keys) == 1


def test_nothing_is_written_or_said_in_clear_beside_the_results(iris, tmp_path, capsys):
    model, X, y = iris
    sides = X[::2], y[::2], X[1::2], y[1::2]
    secret = ThresholdAttack(min_records=987_654_321)
    memory = joblib.Memory(str(tmp_path / "cache"), verbose=10)
    audit(model, *sides, {"a secret name": secret}, memory=memory, random_state=0)
    view, member = query(model, X, y), np.arange(len(X)) % 2 == 0
    options = {"n_shadow_models": 4, "memory": memory, "random_state": 0}
    LiRAAttack(GaussianNB(var_smoothing=0.00123456), **options).fit(view, member)
    notes = [f for f in (tmp_path / "cache").rglob("*") if f.is_file() and f.suffix != ".pkl"]
    assert {"metadata.json"} <= {f.name for f in notes}
    text = "".join(f.read_text(encoding="utf-8") for f in notes) + capsys.readouterr().out
    for clear in ("987654321", "0.00123456", "a secret name", "array(", "GaussianNB"):
        assert clear not in text
    for note in (f for f in notes if f.name == "metadata.json"):
        assert set(json.loads(note.read_text())["input_args"]) == {"key"}


# half-written data


def test_half_written_records_are_named(tmp_path, capsys):
    file = tmp_path / "a.npz"
    np.savez(file, X=np.eye(50), y=np.arange(50))
    whole = file.read_bytes()
    for broken in (b"", whole[:100], whole[:-50], b"PK\x03\x04"):
        file.write_bytes(broken)
        with pytest.raises(ValueError, match=r"a\.npz is damaged"):
            read_records(file)
        assert main(["demo", "--data", str(file)]) == 2
        assert "a.npz" in capsys.readouterr().err
    np.savez(file, X=np.eye(3), y=np.array(["a", None, "b"], dtype=object))
    with pytest.raises(ValueError, match="y has shape"):
        read_records(file)


@pytest.mark.parametrize(
    "change",
    [
        {"X_packed": np.zeros((4, 3), np.uint8)},
        {"y": np.zeros(5)},
        {"X_packed": np.zeros(4, np.uint8)},
        {"n_features": np.array([8, 8])},
        {"first": np.array([7])},
        None,
    ],
)
def test_bit_tables_of_a_wrong_shape_are_named(tmp_path, change):
    arrays = {"X_packed": np.zeros((4, 1), np.uint8), "n_features": 8, "y": np.zeros(4)}
    file = tmp_path / "bits.npz"
    np.savez(file, **{**arrays, **(change or {})})
    if change is None:
        file.write_bytes(file.read_bytes()[:-60])
    with pytest.raises(ValueError, match=r"bits\.npz is damaged or not the expected file"):
        tables(tmp_path)


def test_images_of_a_wrong_shape_are_named(tmp_path):
    np.savez(tmp_path / "cifar100_train.npz", delta=np.zeros((2, 3, 8, 8), np.uint8), y=[0, 1])
    with pytest.raises(ValueError, match=r"cifar100_train\.npz is damaged"):
        images(tmp_path)


@posix
def test_a_checkpoint_is_private_and_a_half_written_one_is_named(tmp_path):
    file = tmp_path / "net.pt"
    _network(file)
    assert mode(file) == 0o600
    whole = file.read_bytes()
    for broken in (b"", whole[:3], whole[:200], whole[:-100]):
        file.write_bytes(broken)
        with pytest.warns(UserWarning, match=r"net\.pt is damaged .* starts over"):
            _network(file)
    _network(file)
