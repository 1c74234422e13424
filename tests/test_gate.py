"""The gate: in pytest, on the command line, and in the files that pipelines read."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from test_policy import TODAY, made

import sklearn_aeppt
from sklearn_aeppt.__main__ import main
from sklearn_aeppt.attacks import GapAttack, ThresholdAttack
from sklearn_aeppt.audit import _gate_files as forms
from sklearn_aeppt.audit import apply_policy
from sklearn_aeppt.testing import SkorePrivacyCheck, WaivedWarning, assert_private

junitparser = pytest.importorskip("junitparser")

X, Y = make_classification(1200, 20, n_informative=8, n_classes=3, flip_y=0.2, random_state=0)
MEM, NON, SHIFTED = X[:600], X[600:], X[600:] + 1.0
ATTACKS = {"labels": GapAttack(), "loss": ThresholdAttack("loss")}
LENIENT = {"limits": {"excess": 0.45}}
LIMIT = {"limits": {"excess": 0.02}}
WAIVED = {**LIMIT, "waivers": [{"rule": "excess", "reason": "pilot", "until": "2999-12-31"}]}


@pytest.fixture(scope="module")
def forest():
    return RandomForestClassifier(30, random_state=0).fit(MEM, Y[:600])


# ---- assert_private


def test_what_is_met_returns_the_report(forest):
    report = assert_private(forest, MEM, Y[:600], NON, Y[600:], policy=LENIENT, attacks=ATTACKS)
    assert report.policy["outcome"] == "pass" and report.strongest["attack"] == "loss"
    again = assert_private(forest, MEM, Y[:600], NON, Y[600:], policy=LENIENT, attacks=ATTACKS)
    assert again.strongest == report.strongest  # a test gives the same answer each time


def test_what_is_not_met_says_which_rule_by_which_figure(forest):
    said = {}
    with pytest.raises(AssertionError) as failed:
        assert_private(forest, MEM, Y[:600], NON, Y[600:], policy=LIMIT, attacks=ATTACKS,
                       record_property=said.setdefault)  # fmt: skip
    text = str(failed.value)
    assert text.startswith("FAIL: policy policy: not met: excess (1 of 1).")
    assert "excess over the label-only floor is at least" in text and "above 2.00 points" in text
    assert "The confidences leak" in text and "EqualizedClassifier" in text
    assert said["privacy"] == "fail" and said["privacy rule"].startswith("fail ")


def test_a_waiver_passes_with_a_warning(forest):
    said = {}
    with pytest.warns(WaivedWarning, match=r"(?s)WAIVED: .*waived until 2999-12-31: pilot"):
        report = assert_private(forest, MEM, Y[:600], NON, Y[600:], policy=WAIVED, attacks=ATTACKS,
                                record_property=said.setdefault)  # fmt: skip
    assert report.policy["outcome"] == said["privacy"] == "waived"


def test_void_figures_are_an_error_and_no_failure(forest):
    with pytest.raises(ValueError, match=r"VOID: .* draw both from one distribution"):
        assert_private(forest, MEM, Y[:600], SHIFTED, Y[600:], policy=LENIENT, attacks=ATTACKS)
    with pytest.raises(TypeError, match="one model at a time"):
        assert_private({"a": forest}, MEM, Y[:600], NON, Y[600:])


def test_a_report_must_not_be_worse_than_the_baseline(forest, tmp_path):
    sides, said = (MEM, Y[:600], NON, Y[600:]), {}
    options = {"policy": LENIENT, "attacks": ATTACKS}
    calm = RandomForestClassifier(30, min_samples_leaf=20, random_state=0).fit(*sides[:2])
    assert_private(calm, *sides, **options).to_json(tmp_path / "calm.json")
    assert_private(calm, *sides, **options, baseline=tmp_path / "calm.json",
                   record_property=said.setdefault)  # fmt: skip
    assert said["privacy against the baseline"].startswith("Nothing got worse")
    with pytest.raises(AssertionError, match=r"WORSE: \d"):
        assert_private(forest, *sides, **options, baseline=tmp_path / "calm.json")
    with pytest.raises(ValueError, match="different non-members"):
        assert_private(calm, *sides[:2], NON[:500], Y[600:1100], **options,
                       baseline=tmp_path / "calm.json")  # fmt: skip


PROJECT = """
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from sklearn_aeppt.attacks import GapAttack, ThresholdAttack
from sklearn_aeppt.testing import assert_private

X, y = make_classification(1200, 20, n_informative=8, n_classes=3, flip_y=0.2, random_state=0)
SIDES = X[:600], y[:600], X[600:], y[600:]
model = RandomForestClassifier(30, random_state=0).fit(*SIDES[:2])
LIMIT = {"excess": 0.02}
WAIVER = {"rule": "excess", "reason": "pilot", "until": "2999-12-31"}


@pytest.fixture
def check(record_property):
    def run(policy, model=model, sides=SIDES):
        attacks = [GapAttack(), ThresholdAttack("loss")]
        assert_private(model, *sides, policy=policy, attacks=attacks,
                       record_property=record_property)

    return run


def test_pass(check):
    check({"limits": {"excess": 0.45}})


def test_fail(check):
    check({"limits": LIMIT})


def test_waived(check):
    check({"limits": LIMIT, "waivers": [WAIVER]})


def test_bad_input(check):
    check({"limits": {"exces": 0.02}})


def test_crash(check, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("sklearn_aeppt.audit._audit.before", broken)
    check({"limits": LIMIT})
"""


def properties(case):
    """Return what pytest's record_property wrote about a test."""
    return case.child(junitparser.Properties)


def test_a_real_pytest_run_has_five_outcomes_that_a_consumer_reads(tmp_path):
    (tmp_path / "test_model.py").write_text(PROJECT)
    env = {**os.environ, "PYTHONPATH": str(Path(sklearn_aeppt.__file__).parents[1])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=r.xml"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1 and "3 failed, 2 passed" in done.stdout, done.stdout
    assert "WaivedWarning: WAIVED: policy policy: passes, as excess may fail" in done.stdout
    cases = {case.name: case for suite in junitparser.JUnitXml.fromfile(str(tmp_path / "r.xml"))
             for case in suite}  # fmt: skip
    outcomes = {
        name: next(p.value for p in properties(case) if p.name == "privacy")
        for name, case in cases.items()
    }
    assert outcomes == {
        "test_pass": "pass", "test_fail": "fail", "test_waived": "waived",
        "test_bad_input": "bad input", "test_crash": "internal error",
    }  # fmt: skip
    messages = {name: [r.message for r in case.result] for name, case in cases.items()}
    assert messages["test_pass"] == messages["test_waived"] == []
    assert "FAIL: policy policy: not met: excess" in messages["test_fail"][0]
    assert "did you mean 'excess'?" in messages["test_bad_input"][0]
    assert "a fault of ours" in messages["test_crash"][0]


# ---- skore


def test_a_check_of_skores_reports():
    pytest.importorskip("skore")
    from skore import EstimatorReport

    said = {}
    for name, policy in (("fail", LIMIT), ("pass", LENIENT)):
        forest = RandomForestClassifier(30, random_state=0)  # the report fits it
        report = EstimatorReport(forest, X_train=MEM, y_train=Y[:600], X_test=NON, y_test=Y[600:])
        report.checks.add([SkorePrivacyCheck(policy, ATTACKS)])
        display = report.checks.summarize().frame().set_index("code").loc["AEPPT001"]
        said[name] = display.to_dict()
    assert said["fail"]["section"] == "issue" and "not met: excess" in said["fail"]["explanation"]
    assert said["pass"]["section"] == "passed"
    report = EstimatorReport(report.estimator_, X_test=NON, y_test=Y[600:])
    report.checks.add([SkorePrivacyCheck(LENIENT, ATTACKS)])
    found = report.checks.summarize().frame().set_index("code").loc["AEPPT001"]
    assert found["section"] == "not_applicable"


def test_the_check_reads_what_a_report_holds(forest):
    report = SimpleNamespace(
        estimator_=forest, X_train=MEM, y_train=Y[:600], X_test=NON, y_test=Y[600:]
    )
    check = SkorePrivacyCheck(LIMIT, ATTACKS)
    said = check.check_function(report)
    assert "not met: excess" in said and "above 2.00 points" in said
    assert check.audit_.policy["outcome"] == "fail"
    assert SkorePrivacyCheck(LENIENT, ATTACKS).check_function(report) is None
    assert SkorePrivacyCheck(WAIVED, ATTACKS).check_function(report) is None


# ---- the command


@pytest.fixture(scope="module")
def files(tmp_path_factory, forest):
    joblib = pytest.importorskip("joblib")
    folder = tmp_path_factory.mktemp("files")
    joblib.dump(forest, folder / "model.joblib")
    for name, records, y in (("mem", MEM, Y[:600]), ("non", NON, Y[600:]),
                             ("shifted", SHIFTED, Y[600:])):  # fmt: skip
        frame = pd.DataFrame(records, columns=[f"c{i}" for i in range(20)]).assign(label=y)
        frame.to_csv(folder / f"{name}.csv", index=False)
    for name, policy in (("lenient", LENIENT), ("limit", LIMIT), ("waived", WAIVED)):
        (folder / f"{name}.json").write_text(json.dumps({"name": name, **policy}))
    return folder


@pytest.fixture
def gate(files, tmp_path, capsys):
    """Run the command with every file that it writes; return (status, stderr, JUnit)."""

    def run(policy, non="non.csv"):
        options = {
            "--model": files / "model.joblib", "--members": files / "mem.csv",
            "--non-members": files / non, "--attacks": "quick", "--seed": 0, "--policy": policy,
            "--junit": tmp_path / "junit.xml", "--sarif": tmp_path / "r.sarif",
            "--summary": tmp_path / "summary.md",
        }  # fmt: skip
        status = main(["audit", "--trust", *(str(x) for pair in options.items() for x in pair)])
        return status, capsys.readouterr().err, junitparser.JUnitXml.fromfile(
            str(tmp_path / "junit.xml")
        )  # fmt: skip

    return run


def test_five_statuses_with_five_messages(gate, files, tmp_path, monkeypatch):
    seen = {}

    def keep(name, found, expected):
        status, error, xml = found
        counts = xml.tests, xml.failures, xml.errors, xml.skipped
        assert (status, counts) == expected, (name, error)
        summary = (tmp_path / "summary.md").read_text()
        seen[name] = error.strip().splitlines()[-1]
        return [r for suite in xml for case in suite for r in case.result], summary

    assert keep("pass", gate(files / "lenient.json"), (0, (1, 0, 0, 0)))[0] == []
    (failure,), _ = keep("fail", gate(files / "limit.json"), (1, (1, 1, 0, 0)))
    assert isinstance(failure, junitparser.Failure) and "is at least" in failure.message
    held = json.loads((tmp_path / "r.sarif").read_text())["runs"][0]
    assert held["results"][0]["level"] == "error" and "suppressions" not in held["results"][0]
    (skipped,), summary = keep("waived", gate(files / "waived.json"), (0, (1, 0, 0, 1)))
    assert isinstance(skipped, junitparser.Skipped) and "2999-12-31: pilot" in skipped.message
    held = json.loads((tmp_path / "r.sarif").read_text())["runs"][0]
    assert held["results"][0]["suppressions"][0]["justification"].startswith("waived until")
    assert summary.count("## Membership inference audit") == 3  # appended, never replaced
    (error,), summary = keep("bad input", gate("strickt"), (2, (1, 0, 1, 0)))
    assert isinstance(error, junitparser.Error) and "did you mean 'strict'" in error.message
    assert "**Bad input**" in summary and not (tmp_path / "r.sarif").exists()
    (error,), _ = keep("void", gate(files / "limit.json", "shifted.csv"), (2, (1, 0, 1, 0)))
    assert error.type == "void"

    def broken(*args, **kwargs):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("sklearn_aeppt.audit.audit", broken)
    (error,), summary = keep("crash", gate(files / "limit.json"), (3, (1, 0, 1, 0)))
    assert error.type == "internal error" and "a fault of ours" in summary
    starts = {
        "pass": "PASS: ", "fail": "FAIL: ", "waived": "WAIVED: ", "void": "VOID: ",
        "bad input": "sklearn-aeppt: policy='strickt' is no preset",
        "crash": "sklearn-aeppt: this is an internal error",
    }  # fmt: skip
    assert all(seen[name].startswith(start) for name, start in starts.items()), seen


def test_files_that_cannot_be_written_are_refused_before_the_work(files, tmp_path, capsys):
    command = ["audit", "--members", str(files / "mem.csv"), "--non-members", "none.csv"]
    for options, message in (
        (["--policy", "default", "--junit", "none/r.xml"], "--junit none/r.xml: there is no such"),
        (["--summary", str(tmp_path)], "this is a folder; give a file"),
        (["--sarif", str(tmp_path / "r.sarif")], "--sarif holds the outcome of a policy"),
    ):
        assert main([*command, *options]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--policy", "default", "--fail-above", "0.02"])
    assert stopped.value.code == 2 and "not allowed with argument" in capsys.readouterr().err


def test_a_summary_needs_no_policy(files, tmp_path, capsys):
    given = [str(files / "model.joblib"), str(files / "mem.csv"), str(files / "non.csv")]
    options = [x for pair in zip(("--model", "--members", "--non-members"), given) for x in pair]
    summary = tmp_path / "s.md"
    assert (
        main(["audit", "--trust", *options, "--attacks", "quick", "--summary", str(summary)]) == 0
    )
    assert "The confidences leak" in summary.read_text() and "PASS" not in capsys.readouterr().err


# ---- forms


@pytest.mark.parametrize("text", ["<a href='x'>|`*b*", "a\0b\n# PASS", "\ud800", "模" * 10_000])
def test_any_name_is_text_in_every_form(text, tmp_path):
    policy = {"name": text, "limits": {"excess": 0.02}, "require": {"attacks": [text]}}
    report = apply_policy(replace(made(), name=text), policy, today=TODAY)
    xml = forms.junit(report, 1.0)
    (tmp_path / "r.xml").write_bytes(xml.encode())
    parsed = junitparser.JUnitXml.fromfile(str(tmp_path / "r.xml"))
    assert parsed.tests == 2 and parsed.failures == 2
    results = json.loads(forms.sarif(report, "models/m 1.skops"))["runs"][0]["results"]
    place = results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert len(results) == 2 and place == "models/m%201.skops"
    page = forms.markdown(report)
    page.encode()
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(rows) == 4 and "<a" not in page.replace("\\<", "") and "\n# PASS" not in page


def test_not_judged_is_skipped_or_a_failure():
    for counts_as, failures, skipped in (("pass", 0, 1), ("fail", 1, 0)):
        policy = {"limits": {"canaries": 0.7}, "not_judged": counts_as}
        xml = forms.junit(apply_policy(made(), policy, today=TODAY), 0.0)
        parsed = junitparser.JUnitXml.fromstring(xml)
        assert (parsed.failures, parsed.skipped) == (failures, skipped)


def test_a_report_without_a_policy_has_no_outcome_to_write():
    with pytest.raises(ValueError, match=r"apply_policy\(report, policy\)"):
        forms.junit(made(), 0.0)
    assert "policy" not in forms.markdown(made())


def test_sarif_has_what_its_standard_requires():
    policy = {"limits": {"excess": 0.02, "canaries": 0.7, "auc": 0.9}, "not_judged": "pass"}
    log = json.loads(forms.sarif(apply_policy(made(), policy, today=TODAY), "m.skops"))
    assert log["version"] == "2.1.0" and set(log) == {"$schema", "version", "runs"}
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] and run["invocations"][0]["executionSuccessful"] is True
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] and result["message"]["text"]
        assert result["kind"] == "fail" or result["level"] == "none"  # section 3.27.10
    assert [r["kind"] for r in run["results"]] == ["fail", "open", "pass"]
    assert np.all([r["locations"] for r in run["results"]])
