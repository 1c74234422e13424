"""The file of a report: its schema, the way back, what is in it and what is not."""

import copy
import dataclasses
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from fakes import without_times
from scipy.sparse import coo_matrix, csr_array
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils import shuffle

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.__main__ import main
from sklearn_aeppt.attacks import GapAttack, GradientBoostingAttack, ThresholdAttack
from sklearn_aeppt.audit import AuditComparison, AuditReport, audit, hash_records
from sklearn_aeppt.audit._attackers import parameters_of
from sklearn_aeppt.audit._hashes import describe_model
from sklearn_aeppt.audit._schema import read_schema


def game(n=200, seed=0, **forest):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(2 * n, 8)), rng.integers(3, size=2 * n)
    model = RandomForestClassifier(20, random_state=0, **forest).fit(X[:n], y[:n])
    return model, X[:n], y[:n], X[n:], y[n:]


@pytest.fixture(scope="module")
def report():
    model, X, y, X_non, y_non = game()
    defended = EqualizedClassifier(model, random_state=0).fit(X, X_non, y_mem=y, y_non=y_non)
    groups = np.repeat(np.arange(100), 2), np.repeat(np.arange(100, 200), 2)
    slices = {"模\0 </script>": (["a\0", None] * 100, ["b", None] * 100)}
    return audit(
        defended, X, y, X_non, y_non, "quick", random_state=0, groups=groups, slices=slices,
        fitted_on=X, context={"auditor": "A. Person", "release": 7},
    )  # fmt: skip


def same(one, other):
    """Return whether two values are equal: arrays value by value and by kind, NaN equal to NaN."""
    if isinstance(one, np.ndarray):
        return one.dtype.kind == other.dtype.kind and same(one.tolist(), other.tolist())
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and np.isnan(one):
        return isinstance(other, float) and np.isnan(other)
    return type(one) is type(other) and one == other


def test_the_file_gives_the_report_back(report, tmp_path):
    back = AuditReport.from_json(report.to_json(records=True))
    for field in dataclasses.fields(AuditReport):
        assert same(getattr(report, field.name), getattr(back, field.name)), field.name
    assert back == report and back != dataclasses.replace(report, floor=0.1)
    report.to_json(tmp_path / "r.json")
    short = AuditReport.from_json(tmp_path / "r.json")
    assert short == dataclasses.replace(report, records={}, at_risk=[])
    assert str(short) == str(report) and short.accused == []
    assert short.context == {"auditor": "A. Person", "release": "7"}
    assert np.isnan(report.slices["模\0 </script>"]["accuracy"]).sum() == 2  # a side is empty
    assert None in short.slices["模\0 </script>"]["class"].tolist()


def test_nothing_about_single_records_unless_asked(report):
    held = json.loads(report.to_json())
    assert not {"records", "at_risk", "accused"} & set(held)
    assert min(held["bundles"]["members"] + held["bundles"]["non_members"]) >= 10
    asked = json.loads(report.to_json(records=True))
    assert set(asked) - set(held) == {"records", "at_risk", "accused"}
    assert len(asked["records"]["row"]) == 400


def test_the_table_of_records_is_a_file_of_its_own(report, tmp_path):
    path = report.records_to_csv(tmp_path / "records.csv")
    table = pd.read_csv(path)
    assert path.stat().st_mode & 0o077 == 0 or sys.platform == "win32"
    assert table["status"].tolist() == report.records_to_frame()["status"].tolist()
    assert table["person"].tolist() == np.repeat(np.arange(200), 2).tolist()
    with pytest.raises(ValueError, match="has no table of records"):
        AuditReport.from_json(report.to_json()).records_to_csv(tmp_path / "none.csv")


def test_the_same_seeds_give_the_same_file_but_for_times():
    first, second = (json.loads(audit(*game(), random_state=3).to_json()) for _ in range(2))
    assert first != second  # times differ
    assert without_times(first) == without_times(second)


def test_a_file_is_what_the_schema_says(report):
    pytest.importorskip("jsonschema")
    from sklearn_aeppt.audit._schema import what_is_wrong

    for records in (True, False):
        assert what_is_wrong(json.loads(report.to_json(records=records))) == ""
    undefended = audit(*game(), random_state=0)
    both = AuditComparison({"a": undefended, "b": report}, {"a": 0.0, "b": 0.1})
    assert what_is_wrong(json.loads(both.to_json())) == ""
    back = AuditComparison.from_json(both.to_json(records=True))
    assert back.reports == both.reports and back.size == both.size
    data = json.loads(report.to_json())
    for path, value, said in (
        (["results", 1, "auc"], 1.2, "results[1].auc: 1.2 is greater than the maximum of 1"),
        (["provenance", "hashes", "model", "sha256"], "00", "provenance.hashes.model.sha256: "),
        (["slices", "class", "low", 0], "x", "slices.class.low[0]: 'x' is not of type"),
        (["headine"], "x", "the file: Additional properties are not allowed"),
        (["schema_version"], "2.0", "schema_version: '2.0' does not match"),
    ):
        changed = copy.deepcopy(data)
        place = changed
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value
        assert what_is_wrong(changed).startswith(said), what_is_wrong(changed)
    del data["control"]
    assert what_is_wrong(data).startswith("the file: 'control' is a required property")


@pytest.mark.slow
def test_a_file_of_everything_is_what_the_schema_says():
    pytest.importorskip("jsonschema")
    from sklearn_aeppt.audit._schema import what_is_wrong

    full = audit(*game(100), "full", random_state=0)
    assert what_is_wrong(json.loads(full.to_json())) == ""
    assert AuditReport.from_json(full.to_json(records=True)) == full
    assert full.canaries["auc_low"] < full.canaries["auc"] < full.canaries["auc_high"]
    models = {row["attack"]: row["shadow_models"] for row in full.attackers}
    assert models["likelihood ratio (LiRA)"] == 16 and models["boosting"] == 0


def test_every_field_of_the_schema_is_described():
    def fields(part, path=""):
        for name, inner in part.get("properties", {}).items():
            yield f"{path}.{name}", inner
            yield from fields(inner, f"{path}.{name}")
        for key in ("items", "additionalProperties"):
            if isinstance(part.get(key), dict):
                yield from fields(part[key], path)
        for name, inner in part.get("$defs", {}).items():
            yield from fields(inner, name)

    found = list(fields(read_schema()))
    assert len(found) > 200
    assert not [path for path, one in found if len(one.get("description", "")) < 5]


@pytest.mark.parametrize(
    "text, said",
    [
        ("{", "is not JSON"),
        ("[1]", "names no schema"),
        ('{"schema": "another"}', "holds a 'another' where a 'sklearn-aeppt audit report'"),
        (
            '{"schema": "sklearn-aeppt audit report", "schema_version": "2.0"}',
            "has version 2.0 of the schema, and this library reads 1",
        ),
        (
            '{"schema": "sklearn-aeppt audit report", "schema_version": "1.9"}',
            r"lacks the field\(s\) name, results",
        ),
    ],
)
def test_what_is_no_report_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        AuditReport.from_json(text)


def test_hashes_name_the_records_in_any_order_and_container():
    _, X, y, *_ = game()
    whole = hash_records(X, y)
    mixed = shuffle(X, y, random_state=0)
    assert hash_records(*mixed) == hash_records(pd.DataFrame(X), list(y)) == whole
    assert hash_records(X[1:], y[1:]) != whole
    assert hash_records(csr_array(X), y) == hash_records(coo_matrix(X), y) != whole
    changed = y.copy()
    changed[0] = 5
    assert hash_records(X, changed) != whole
    swapped = hash_records(X, np.r_[y[1], y[0], y[2:]])
    assert (swapped == whole) == (y[0] == y[1])
    with pytest.raises(ValueError, match="y has 3 labels for 200 records"):
        hash_records(X, y[:3])


def test_the_model_is_known_by_its_state():
    first, second, other = (describe_model(game(seed=seed)[0]) for seed in (0, 0, 1))
    assert first == second != other and len(first["sha256"]) == 64
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from test_report_file import describe_model, game\n"
        "print(describe_model(game()[0])['sha256'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == first["sha256"], done.stderr
    assert "is a function" in describe_model(first_function())["not_hashed"]
    unknown = type("Service", (), {"predict_proba": None})()
    assert "not an estimator" in describe_model(unknown)["not_hashed"]
    lambdas = LogisticRegression()
    lambdas.hook_ = lambda x: x
    assert "cannot be hashed" in describe_model(lambdas)["not_hashed"]


def first_function():
    from sklearn_aeppt._function_target import with_classes

    return with_classes(lambda X: X, [0, 1])


def test_the_threat_model_is_what_attacks_say_of_themselves():
    attacks = {"gap": GapAttack(), "loss": ThresholdAttack("loss")}
    report = audit(*game(), attacks, random_state=0)
    gap, loss = report.attackers
    assert gap["sees"] == "labels" and loss["sees"] == "confidences and labels"
    assert loss["class"] == "sklearn_aeppt.attacks.ThresholdAttack"
    assert loss["parameters"]["statistic"] == "loss" and loss["queries"] == 1
    assert loss["seconds"] >= 0
    standard = audit(*game(), random_state=0).attackers
    asked = {row["attack"]: (row.get("queries"), row.get("of")) for row in standard}
    assert asked["label only, perturbed inputs"] == (20, "variants")
    assert asked["outputs for slightly perturbed inputs"] == (33, "variants at several scales")


def test_parameters_hold_no_secret_and_no_address():
    def hook():
        """Do nothing."""

    attack = GradientBoostingAttack(random_state=0)
    defense = EqualizedClassifier(RandomForestClassifier(warm_start=hook), key=b"hidden" * 4)
    told = json.dumps([parameters_of(attack), parameters_of(defense)])
    assert "hidden" not in told and "bytes, not shown" in told and " at 0x" not in told
    assert "hook" in told and '"random_state": 0' in told


class Leaky(ThresholdAttack):
    """Knows who is called a member: it looks at what it was told, for every record."""

    told: dict = {}

    def fit(self, X, y):
        Leaky.told |= {p.tobytes(): m for p, m in zip(X["proba"], y)}
        return super().fit(X, y)

    def decision_function(self, X):
        return np.array([1.0 if Leaky.told.get(p.tobytes()) else -1.0 for p in X["proba"]])


def test_the_negative_control_finds_nothing_unless_there_is_a_fault():
    passed = [
        audit(*game(seed=s), [ThresholdAttack("loss")], random_state=s).control["passed"]
        for s in range(8)
    ]
    assert sum(passed) >= 7  # at 99 %
    report = audit(*game(), "quick", random_state=0)
    assert "which is chance, as it must be" in report.control_says in str(report)
    assert report.control["n"] == 200
    _, X, y, X_non, y_non = game()
    smooth = LogisticRegression().fit(X, y)  # no two records have equal outputs
    twice = np.r_[X_non, X_non + 1e-9], np.r_[y_non, y_non]  # the same records in both halves
    Leaky.told = {}
    faulty = audit(smooth, X, y, *twice, [Leaky()], random_state=0)
    assert faulty.control["accuracy"] != 0.5 and not faulty.control["passed"]
    assert "is not chance" in faulty.control_says


def test_the_control_is_not_run_where_it_would_take_as_long_again():
    from sklearn_aeppt.attacks import ShadowAttack

    own = ShadowAttack(RandomForestClassifier(3), n_shadow_models=2)
    report = audit(*game(60), [own], random_state=0)
    assert "trains models of its own" in report.control["not_run"]
    few = audit(*(part[:4] if i else part for i, part in enumerate(game())), [GapAttack()])
    assert "not_run" in few.control and "Negative control not run: " in str(few)


def test_the_cost_of_a_defense_stands_beside_it(report):
    model, X, y, X_non, y_non = game()
    users = report.utility["non_members"]
    assert users["labels_kept"] == 1 and 0 < users["l1"] < 2
    shown = model.predict_proba(X_non).clip(2**-23, 1)  # no vote at all would be infinite
    loss = -np.log(shown[np.arange(200), y_non]).mean()
    assert users["undefended"]["log_loss"] == pytest.approx(loss)
    assert users["defended"]["log_loss"] < users["undefended"]["log_loss"]
    for side in report.utility.values():
        for answers in (side["undefended"], side["defended"]):
            assert answers["accuracy_low"] <= answers["accuracy"] <= answers["accuracy_high"]
            assert answers["log_loss_low"] < answers["log_loss"] < answers["log_loss_high"]
    assert audit(model, X, y, X_non, y_non, [GapAttack()]).utility is None


def test_every_figure_has_its_interval(report):
    undefended = audit(*game(1000), "quick", random_state=0)
    for one in (report, undefended):
        for name, (low, high) in one.intervals.items():
            assert low <= getattr(one, name) <= high
        for row in one.ran:
            names = [key for key in row if f"{key}_low" in row]
            assert len(names) == 6
            for name in (n for n in names if row[n] is not None):
                assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
    assert undefended.strongest["tpr_at_0.01_fpr_low"] is not None


def test_intervals_of_the_auc_hold():
    from scipy.stats import norm

    from sklearn_aeppt.audit._intervals import auc_interval

    rng, member, missed = np.random.default_rng(0), np.arange(300) < 150, 0
    truth = norm.cdf(0.5 / np.sqrt(2))
    for _ in range(400):
        low, high = auc_interval(member, rng.normal(size=300) + 0.5 * member, 0.95)
        missed += not low <= truth <= high
    assert 8 <= missed <= 34  # of 400, at 5 %
    low, high = auc_interval(member, member.astype(float), 0.95)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 150)), 1.0)
    assert auc_interval(member, -member.astype(float), 0.95)[0] == 0.0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    joblib = pytest.importorskip("joblib")
    folder = tmp_path_factory.mktemp("files")
    model, X, y, X_non, y_non = game()
    joblib.dump(model, folder / "model.joblib")
    np.savez(folder / "members.npz", X=X, y=y)
    np.savez(folder / "others.npz", X=X_non, y=y_non)
    return folder


def run_audit(files, *options):
    return main([
        "audit", "--model", str(files / "model.joblib"), "--trust", "--members",
        str(files / "members.npz"), "--non-members", str(files / "others.npz"), "--attacks",
        "quick", "--seed", "0", *map(str, options),
    ])  # fmt: skip


def test_from_the_command_line(files, tmp_path, capsys):
    out, table = tmp_path / "r.json", tmp_path / "who.csv"
    assert run_audit(
        files, "--out", out, "--records", table, "--context", "who=me=I", "--context", "for=2026",
    ) == 0  # fmt: skip
    report = AuditReport.from_json(out)
    assert report.context == {"who": "me=I", "for": "2026"}
    assert report.provenance["hashes"]["model"]["of"] == "file"
    assert "sklearn-aeppt protect" in " ".join(report.advice)
    assert "EqualizedClassifier" not in " ".join(report.advice)
    assert len(pd.read_csv(table)) == 400
    capsys.readouterr()
    assert main(["report", str(out)]) == 0
    assert report.verdict in capsys.readouterr().out


def test_check_says_where_a_file_is_wrong(files, tmp_path, capsys):
    pytest.importorskip("jsonschema")
    out = tmp_path / "r.json"
    assert run_audit(files, "--out", out) == 0
    assert main(["report", "--check", str(out)]) == 0
    assert "valid, version 1.0" in capsys.readouterr().out
    data = json.loads(out.read_text())
    data["results"][0]["accuracy"] = "high"
    out.write_text(json.dumps(data))
    assert main(["report", "--check", str(out)]) == 2
    assert "results[0].accuracy: 'high' is not of type 'number'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, said",
    [
        (["--context", "who"], "--context who: give KEY=VALUE"),
        (["--context", "a=1", "--context", "a=2"], "each KEY once"),
        (["--records", "who.txt"], "--records who.txt: give a file that ends in .csv"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_the_work(files, capsys, options, said):
    assert run_audit(files, *options) == 2
    assert said in capsys.readouterr().err


def test_context_is_a_dict(report):
    with pytest.raises(ValueError, match="context=me is no dict: give name -> text"):
        audit(*game(), [GapAttack()], context="me")
