"""Policies: what is refused, how each rule is judged, and what waivers cover."""

import json
import sys
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from sklearn_aeppt.attacks import GapAttack, ThresholdAttack
from sklearn_aeppt.audit import AuditReport, Policy, apply_policy, audit, load_policy
from sklearn_aeppt.audit._bounds import accuracy_bounds, auc_bounds, tpr_bounds
from sklearn_aeppt.audit._judge import VOID
from sklearn_aeppt.audit._outcome import policy_lines
from sklearn_aeppt.audit._presets import PRESETS
from sklearn_aeppt.metrics import tpr_at_fpr

TODAY = date(2026, 11, 27)


def row(name, **more):
    plain = {
        "attack": name, "adaptive": True, "labels_only": False, "variants": False,
        "per_record": False, "accuracy": 0.6, "low": 0.58, "high": 0.62, "excess": 0.1,
        "excess_low": 0.08, "excess_high": 0.12, "auc": 0.64, "tpr_at_0.1_fpr": 0.2,
        "tpr_at_0.01_fpr": 0.04, "tpr_at_0.001_fpr": 0.006, "tnr_at_0.01_fnr": None,
    }  # fmt: skip
    return {**plain, **more}


def made(**more):
    """Return a report of 20,000 members and non-members, made by hand."""
    labels = row("labels", labels_only=True, accuracy=0.5, low=0.49, high=0.51, excess=0.0,
                 excess_low=-0.01, excess_high=0.01, auc=0.5)  # fmt: skip
    best = row("loss")
    whole = {"class": np.array(["a", "b", "rare"]), "n_members": np.array([500, 500, 3]),
             "n_non_members": np.array([500, 500, 90]), "accuracy": np.array([0.55, 0.8, 0.9]),
             "low": np.array([0.5, 0.75, 0.6]), "high": np.array([0.6, 0.85, 1.0])}  # fmt: skip
    blind = {"auc": 0.5, "p_value": 0.4, "differs": False, "columns": []}
    structure = {"n_records": 20_000, "stored": {}, "smallest_leaf": 7,
                 "small_leaves": {5: 0.0, 10: 0.1}, "n_parameters": 100,
                 "degrees_of_freedom": 19_900}  # fmt: skip
    plain = dict(
        name="m", results=[labels, best], strongest=best, floor=0.5, train_accuracy=0.9,
        test_accuracy=0.9, n_members=20_000, n_non_members=20_000, defended=False,
        slices={"class": whole}, at_risk=[], excess_at_least=0.085,
        checks={"blind": blind, "near_duplicates": {"n": 500, "near": 1}, "structure": structure},
        epsilon={"epsilon": 0.7, "ceiling": 4.1, "n_correct": 150, "n_guesses": 200,
                 "n_records": 500, "delta": 0.0, "confidence": 0.95},
    )  # fmt: skip
    return AuditReport(**{**plain, **more})


def judged(policy, **more):
    return apply_policy(made(**more), policy, today=TODAY).policy


def only(policy, **more):
    rows = judged(policy, **more)["rules"]
    assert len(rows) == 1
    return rows[0]


# ---- what is refused


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "it has no rule, so that any audit passes"),
        ({"limit": {}}, r"no 'limit'; did you mean 'limits'\?"),
        ({"limits": {"exces": 0.1}}, r"limits has no 'exces'; did you mean 'excess'\?"),
        ({"limits": {"tpr_at_0.001": 0.1}}, r"did you mean 'tpr_at_0.001_fpr'\?"),
        ({"limits": {"excess": "0.02"}}, r"limits.excess.limit='0.02' is not a number"),
        ({"limits": {"excess": True}}, "is not a number"),
        ({"limits": {"excess": float("nan")}}, "is not a number"),
        ({"limits": {"excess": 2}}, r"the limit 2 is not in \[-0.5, 0.5\)"),
        ({"limits": {"auc": 1}}, r"the limit 1 is not in \[0, 1\)"),
        ({"limits": {"auc": {"mode": "excluded"}}}, "limits.auc has no limit"),
        ({"limits": {"auc": {"limit": 0.6, "modus": "x"}}}, r"did you mean 'mode'\?"),
        ({"limits": {"auc": {"limit": 0.6, "mode": "above"}}}, "choose from exceeds, excluded"),
        ({"limits": {"epsilon": {"limit": 1, "mode": "excluded"}}}, "choose from exceeds"),
        ({"limits": {"auc": {"limit": 0.6, "min_records": 5}}}, "no 'min_records'"),
        ({"limits": [0.1]}, "give names with values"),
        ({"slices": {"class": {"limit": 0.6, "min_records": 0}}}, "not a whole number from 1"),
        ({"records": {"members": 2.5}}, "not a whole number"),
        ({"records": {"non-members": 3}}, r"did you mean 'non_members'\?"),
        ({"require": {"kinds": ["variant"]}}, r"no 'variant'; did you mean 'variants'\?"),
        ({"require": {"checks": ["blinds"]}}, r"did you mean 'blind'\?"),
        ({"require": {"attacks": "LiRA"}}, "is not a list"),
        ({"require": {"attacks": [3]}}, "which is not a text"),
        ({"require": {"persons": "yes"}}, "is neither true nor false"),
        ({"structure": {"smallest_leaf": -1}}, "not a whole number from 0"),
        ({"mode": "strict", "limits": {"auc": 0.6}}, "mode is 'strict': choose from exceeds"),
        ({"not_judged": "skip", "limits": {"auc": 0.6}}, "choose from pass, fail"),
        ({"name": 3, "limits": {"auc": 0.6}}, "name=3 is not a text"),
        ({"extends": "lenient"}, "extends is 'lenient': choose from default"),
        (3, "neither a name, a file, a dict nor a Policy"),
        ("defualt", r"no 'defualt'; did you mean 'default'\?"),
    ],
    ids=repr,
)
def test_what_is_not_understood_is_refused_by_name(given, message):
    with pytest.raises(ValueError, match=message):
        load_policy(given)


WAIVER = {"rule": "excess", "reason": "pilot", "until": "2027-03-31"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rule": "auc"}, r"waivers\[0\] names no rule of this policy, no 'auc'"),
        ({"rule": "exces"}, r"did you mean 'excess'\?"),
        ({"rule": "check", "where": "structure"}, "where names none that is required"),
        ({"rule": "slice", "where": "classes=a"}, r"names no slice, .*did you mean 'class'\?"),
        ({"reason": " "}, "reason=' ' is not a text"),
        ({"until": "March"}, "until='March' is not a day such as 2027-03-31"),
        ({"until": 20270331}, "is not a day"),
        ({"reason": None}, "reason=None is not a text"),
        ({"untill": "2027-03-31"}, r"did you mean 'until'\?"),
    ],
    ids=repr,
)
def test_a_waiver_names_a_rule_a_reason_and_a_day(changes, message):
    policy = {
        "limits": {"excess": 0.02}, "slices": {"class": 0.6}, "require": {"checks": ["blind"]},
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        Policy(**policy, waivers=[{**WAIVER, **changes}])
    missing = {k: v for k, v in WAIVER.items() if k != "until"}
    with pytest.raises(ValueError, match="has no until"):
        Policy(**policy, waivers=[missing])


# ---- files

YAML = """
name: release gate
extends: default
limits:
  excess: 0.03
  tpr_at_0.001_fpr: null
slices:
  class: {limit: 0.7, min_records: 100}
waivers:
  - rule: excess
    reason: pilot until the model is trained again
    until: 2027-03-31
    by: J. Doe
"""


def test_a_file_says_the_same_in_yaml_and_json(tmp_path):
    yaml = pytest.importorskip("yaml")
    (tmp_path / "p.yaml").write_text(YAML)
    one = load_policy(tmp_path / "p.yaml")
    assert one.rules == ["excess", "tpr_at_0.01_fpr", "slice", "check"]
    assert one.limits["excess"].limit == 0.03 and one.slices["class"].min_records == 100
    assert one.waivers[0].until == date(2027, 3, 31) and one.waivers[0].by == "J. Doe"
    (tmp_path / "p.json").write_text(json.dumps(yaml.safe_load(YAML), default=str))
    assert load_policy(str(tmp_path / "p.json")) == one
    assert Policy(**json.loads(json.dumps(one.to_dict()))) == one


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.yaml", "limits: {excess: 0.1, excess: 0.2}", "p.yaml: 'excess' stands twice"),
        ("p.json", '{"name": "a", "name": "b"}', "p.json: 'name' stands twice"),
        ("p.yaml", "limits: {excess: [", "p.yaml: this is not YAML"),
        ("p.json", "{", "p.json: Expecting"),
        ("p.yaml", "- excess", "a policy is names with values"),
        ("p.yaml", "limits: {excess: 1e-3}", "write 0.001, not 1e-3"),
        ("p.yaml", "{[1, 2]: 3}", "p.yaml: "),
        ("p.yaml", "!!python/object/apply:os.getcwd []", "this is not YAML"),
        ("p.json", b"\xff", "utf-8"),
        ("p.toml", "", "no preset, no .*a file that ends in .yaml, .yml, .json"),
    ],
    ids=repr,
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, text, message):
    pytest.importorskip("yaml")
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        load_policy(str(path))


def test_without_yaml_json_is_read_and_yaml_says_what_it_needs(tmp_path, monkeypatch):
    (tmp_path / "p.yaml").write_text(YAML)
    (tmp_path / "p.json").write_text('{"limits": {"excess": 0.02}}')
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert load_policy(tmp_path / "p.json").rules == ["excess"]
    with pytest.raises(ImportError, match=r"sklearn-aeppt\[policy\]"):
        load_policy(tmp_path / "p.yaml")
    assert load_policy(tmp_path / "p.json").name == "p"
    with pytest.raises(FileNotFoundError):
        load_policy(tmp_path / "none.json")


# ---- outcomes


@pytest.mark.parametrize(
    ("figure", "low_limit", "between", "high_limit"),
    [
        ("excess", 0.08, 0.1, 0.13),
        ("accuracy", 0.57, 0.6, 0.63),
        ("auc", 0.6, 0.64, 0.7),
        ("tpr_at_0.1_fpr", 0.15, 0.2, 0.25),
        ("tpr_at_0.01_fpr", 0.02, 0.04, 0.06),
        ("tpr_at_0.001_fpr", 0.001, 0.006, 0.02),
        ("canaries", 0.7, 0.8, 0.9),
    ],
)
def test_a_limit_is_exceeded_excluded_or_neither(figure, low_limit, between, high_limit):
    canaries = {"n": 100, "accuracy": 0.8, "low": 0.75, "high": 0.85, "auc": 0.9}
    for mode, outcomes in (("exceeds", "fail pass pass"), ("excluded", "fail fail pass")):
        for limit, outcome in zip((low_limit, between, high_limit), outcomes.split()):
            found = only({"mode": mode, "limits": {figure: limit}}, canaries=canaries)
            assert found["outcome"] == found["counts_as"] == outcome, (mode, limit)
            assert found["low"] < found["value"] < found["high"]
            assert found["limit"] == limit and found["mode"] == mode
    words = [only({"limits": {figure: x}}, canaries=canaries)["reason"] for x in
             (low_limit, between, high_limit)]  # fmt: skip
    assert "is at least" in words[0] and "is not excluded" in words[1]
    assert words[2].endswith("is excluded")


def test_the_bounds_of_a_report_are_taken_as_they_are():
    assert only({"limits": {"excess": 0.1}})["low"] == 0.085
    assert only({"limits": {"excess": 0.1}})["high"] == 0.12
    assert only({"limits": {"excess": 0.1}})["attack"] == "loss"


def test_more_attacks_widen_the_bounds():
    few = only({"limits": {"auc": 0.6}})
    rows = [row(f"attack {i}", auc=0.5) for i in range(50)] + [row("loss")]
    many = only({"limits": {"auc": 0.6}}, results=rows)
    assert many["low"] < few["low"] and many["value"] == few["value"]


def test_attacks_that_are_not_adaptive_are_not_judged():
    rows = [row("loss"), row("old", adaptive=False, auc=0.99)]
    assert only({"limits": {"auc": 0.6}}, results=rows)["attack"] == "loss"


def test_too_few_records_count_as_the_policy_says():
    rows = [row("loss", **{"tpr_at_0.001_fpr": None})]
    for counts_as in ("pass", "fail"):
        policy = {"limits": {"tpr_at_0.001_fpr": 0.1}, "not_judged": counts_as}
        whole = judged(policy, results=rows, n_non_members=9_000)
        found = whole["rules"][0]
        assert found["outcome"] == "not judged" and found["counts_as"] == counts_as
        assert whole["outcome"] == counts_as
        assert "it takes 10,000 non-members, and there are 9,000" in found["reason"]
        assert "not judged" in whole["message"] or counts_as == "fail"
    assert only({"limits": {"canaries": 0.7}})["outcome"] == "not judged"
    assert only({"limits": {"epsilon": 0.5}}, epsilon=None)["outcome"] == "not judged"


def test_epsilon_has_a_lower_bound_only_and_a_ceiling():
    assert only({"limits": {"epsilon": 0.5}})["outcome"] == "fail"
    found = only({"mode": "excluded", "limits": {"epsilon": 1}})
    assert found["outcome"] == "pass" and found["mode"] == "exceeds" and found["high"] is None
    found = only({"limits": {"epsilon": 5}})
    assert found["outcome"] == "not judged" and "200 guesses show at most 4.10" in found["reason"]


def test_each_part_of_a_slice_is_a_rule():
    found = judged({"slices": {"class": {"limit": 0.7}}})["rules"]
    assert [r["where"] for r in found] == ["class=a", "class=b", "class=rare"]
    assert [r["outcome"] for r in found] == ["pass", "fail", "not judged"]
    assert found[1]["low"] > 0.7 and "3 members and 90 non-members" in found[2]["reason"]
    persons = {"members": 99, "non_members": 99}
    assert only({"slices": {"class": 0.7}}, n_persons=persons)["outcome"] == "not judged"
    found = only({"slices": {"region": 0.7}})
    assert found["outcome"] == "not judged" and "it has class" in found["reason"]


def test_sizes_are_of_records_or_of_persons():
    policy = {"records": {"members": 100, "non_members": 30_000}}
    assert [r["outcome"] for r in judged(policy)["rules"]] == ["pass", "fail"]
    found = judged(policy, n_persons={"members": 99, "non_members": 40_000})["rules"]
    assert [r["outcome"] for r in found] == ["fail", "pass"]
    assert {r["where"] for r in found} == {"persons"}
    assert only({"require": {"persons": True}})["outcome"] == "fail"
    persons = {"members": 99, "non_members": 40_000}
    assert only({"require": {"persons": True}}, n_persons=persons)["outcome"] == "pass"


def test_attacks_and_kinds_that_have_to_be_run():
    missing = {"attack": "LiRA", "not_run": "no torch"}
    policy = {
        "require": {"attacks": ["loss", "LiRA", "RMIA"], "kinds": ["labels_only", "variants"]}
    }
    report = made()
    found = judged(policy, results=[*report.results, missing])["rules"]
    assert [r["outcome"] for r in found] == ["pass", "fail", "fail", "pass", "fail"]
    assert found[1]["reason"] == "it was not run: no torch"
    assert found[2]["reason"] == "it was not run: not tried"


def test_checks_that_have_to_be_passed():
    policy = {"require": {"checks": ["blind", "near_duplicates", "structure", "fitted_on"]}}
    assert {r["outcome"] for r in judged(policy)["rules"]} == {"pass"}
    not_run = {"not_run": "only confidences are given"}
    checks = dict.fromkeys(("blind", "near_duplicates", "structure"), not_run)
    found = judged(policy, checks=checks, defended=True)["rules"]
    assert {(r["outcome"], r["counts_as"]) for r in found} == {("not judged", "fail")}
    lenient = judged({**policy, "not_judged": "pass"}, checks=checks, defended=True)
    assert lenient["outcome"] == "pass" and "taken as met: check blind" in lenient["message"]
    assert found[0]["reason"] == "it was not run: only confidences are given"
    near = {**made().checks, "near_duplicates": {"n": 100, "near": 2}}
    found = judged(policy, checks=near, defended=True, n_fitted_on=20_000)["rules"]
    assert [r["outcome"] for r in found] == ["pass", "fail", "pass", "pass"]
    assert judged(policy, defended=True, n_fitted_on=100)["rules"][3]["outcome"] == "fail"


def test_limits_on_what_the_model_holds():
    policy = {"structure": {"smallest_leaf": 8, "degrees_of_freedom": 10, "stored_records": 0}}
    assert [r["outcome"] for r in judged(policy)["rules"]] == ["fail", "pass", "pass"]
    held = {**made().checks["structure"], "stored": {"_fit_X": 5}, "smallest_leaf": None,
            "degrees_of_freedom": None}  # fmt: skip
    found = judged(policy, checks={"structure": held})["rules"]
    assert [r["outcome"] for r in found] == ["pass", "not judged", "fail"]
    found = judged(policy, checks={})["rules"]
    assert {r["outcome"] for r in found} == {"not judged"}


def test_a_verdict_that_decides_nothing():
    policy = {"inconclusive": "fail", "limits": {"excess": 0.4}}
    assert judged(policy)["outcome"] == "pass"
    unsure = row("loss", accuracy=0.52, low=0.48, high=0.56)
    found = judged(policy, strongest=unsure, results=[row("loss", **{"tpr_at_0.01_fpr": None})])
    assert found["outcome"] == "fail" and found["rules"][-1]["rule"] == "verdict"


def test_void_figures_neither_meet_nor_miss_a_rule():
    blind = {**made().checks["blind"], "differs": True, "columns": ["month"]}
    found = judged("default", checks={"blind": blind})
    assert found["outcome"] == "void" and found["message"].startswith("VOID: members can be told")
    assert {r["outcome"] for r in found["rules"]} == {"void"} and VOID in found["message"]
    waived = {"extends": "default", "waivers": [{**WAIVER, "rule": "check"}]}
    assert judged(waived, checks={"blind": blind})["outcome"] == "void"  # it cannot be waived


# ---- waivers


def test_a_waiver_covers_until_its_day():
    policy = {"limits": {"excess": 0.02}, "waivers": [{**WAIVER, "by": "J. Doe"}]}
    whole = judged(policy)
    assert whole["outcome"] == "waived" and whole["message"].startswith("WAIVED: ")
    found = whole["rules"][0]
    assert found["outcome"] == "waived" and found["counts_as"] == "pass"
    assert "waived until 2027-03-31, by J. Doe: pilot (excess over" in found["reason"]
    last = apply_policy(made(), policy, today=date(2027, 3, 31)).policy
    after = apply_policy(made(), policy, today=date(2027, 4, 1)).policy
    assert last["outcome"] == "waived" and after["outcome"] == "fail"
    assert "its waiver ended on 2027-03-31" in after["rules"][0]["reason"]


def test_a_waiver_covers_what_it_names_and_says_when_it_does_not():
    waivers = [{**WAIVER, "rule": "slice", "where": "class=b"},
               {**WAIVER, "rule": "slice", "where": "class=z"}]  # fmt: skip
    whole = judged({"slices": {"class": 0.52}, "not_judged": "pass", "waivers": waivers})
    assert [r["outcome"] for r in whole["rules"]] == ["pass", "waived", "not judged"]
    assert whole["notes"] == ["The waiver of slice class=z covers nothing in this report."]
    whole = judged({"slices": {"class": 0.9}, "waivers": [{**waivers[0], "where": "class"}]})
    assert "The waiver of slice class=a is not needed: the rule is met." in whole["notes"]
    assert whole["rules"][2]["outcome"] == "waived"  # not judged counted as a failure


# ---- laws

LIMITS = st.floats(0.001, 0.499)


@settings(max_examples=60, deadline=None)
@given(
    figure=st.sampled_from(["excess", "accuracy", "auc", "tpr_at_0.01_fpr", "tpr_at_0.001_fpr"]),
    mode=st.sampled_from(["exceeds", "excluded"]),
    limits=st.tuples(LIMITS, LIMITS).map(sorted),
    value=st.floats(0.0, 1.0),
    n=st.integers(10_000, 50_000),
)
def test_raising_a_limit_never_fails_an_audit(figure, mode, limits, value, n):
    excess = min(value, 0.5)
    rows = [row("loss", **{figure: value if figure != "excess" else excess})]
    more = {"results": rows, "n_members": n, "n_non_members": n, "strongest": rows[0]}
    low, high = (
        only({"mode": mode, "limits": {figure: limit}}, **more)["outcome"] for limit in limits
    )
    assert not (low == "pass" and high == "fail")


@settings(max_examples=60, deadline=None)
@given(auc=st.floats(0, 1), n=st.integers(1, 10**6), error=st.floats(1e-6, 0.4))
def test_bounds_are_in_order_and_narrow_with_more_records(auc, n, error):
    for bounds in (auc_bounds, accuracy_bounds):
        low, high = bounds(auc, n, n, error)
        closer = bounds(auc, 4 * n, 4 * n, error)
        assert 0 <= low <= auc + 1e-12 and auc - 1e-12 <= high <= 1
        assert low - 1e-12 <= closer[0] and closer[1] <= high + 1e-12


# ---- claims over seeds


def test_bounds_err_as_seldom_as_they_say():
    rng = np.random.default_rng(0)
    n, n_runs, error = 300, 400, 0.05
    missed = dict.fromkeys(("auc low", "auc high", "tpr low", "tpr high", "acc low", "acc high"), 0)
    from scipy.stats import norm
    from sklearn.metrics import roc_auc_score

    shift = 0.5
    true_auc, true_tpr = norm.cdf(shift / np.sqrt(2)), norm.sf(norm.isf(0.1) - shift)
    truth = np.repeat([1, 0], n)
    for _ in range(n_runs):
        score = np.r_[rng.normal(shift, 1, n), rng.normal(0, 1, n)]
        low, high = auc_bounds(roc_auc_score(truth, score), n, n, error)
        missed["auc low"] += low > true_auc
        missed["auc high"] += high < true_auc
        low, high = tpr_bounds(tpr_at_fpr(truth, score, fpr=0.1), 0.1, n, n, error)
        missed["tpr low"] += low > true_tpr
        missed["tpr high"] += high < true_tpr
        said = (rng.random(n) < 0.9).mean() / 2 + (rng.random(n) < 0.4).mean() / 2
        low, high = accuracy_bounds(said, n, n, error)
        missed["acc low"] += low > 0.65
        missed["acc high"] += high < 0.65
    # 5 % of 400 and three deviations
    assert max(missed.values()) <= 20 + 3 * np.sqrt(19), missed


def test_a_rate_at_a_low_rate_of_false_alarms_is_not_found_in_noise():
    # members and non-members alike: the threshold is as uncertain as the count above it
    rng = np.random.default_rng(0)
    exceeded = 0
    for _ in range(300):
        truth, score = np.repeat([1, 0], 1000), rng.normal(size=2000)
        low, _ = tpr_bounds(tpr_at_fpr(truth, score, fpr=0.01), 0.01, 1000, 1000, 0.05)
        exceeded += low > 0.01
    assert exceeded <= 15


POOL = make_classification(8_000, 20, n_informative=8, n_classes=4, flip_y=0.1, random_state=0)


def quick_audit(seed, *, leaks, n, leaves, policy="default"):
    """Audit a forest by the quick suite; of random membership unless it leaks."""
    X, y = POOL
    drawn = np.random.default_rng(seed).permutation(len(X))
    mem, non, other = drawn[:n], drawn[n : 2 * n], drawn[2 * n : 3 * n]
    trained = mem if leaks else other
    forest = RandomForestClassifier(30, min_samples_leaf=leaves, random_state=seed)
    forest.fit(X[trained], y[trained])
    return audit(forest, X[mem], y[mem], X[non], y[non], "quick", random_state=seed, policy=policy)


def test_a_model_that_cannot_leak_passes_and_one_that_leaks_ten_points_fails():
    safe = quick_audit(0, leaks=False, n=1000, leaves=1)
    leaky = quick_audit(0, leaks=True, n=1000, leaves=1)
    assert safe.policy["outcome"] == "pass"
    assert leaky.policy["outcome"] == "fail" and leaky.strongest["excess"] > 0.1
    assert leaky.policy["rules"][0]["low"] > 0.02


@pytest.mark.slow
def test_the_default_policy_seldom_raises_a_false_alarm():
    outcomes = [
        quick_audit(seed, leaks=False, n=1000, leaves=1).policy["outcome"] for seed in range(60)
    ]
    assert outcomes.count("fail") <= 1 and outcomes.count("void") <= 3, outcomes


# ---- reports


def test_the_outcome_is_part_of_the_report(tmp_path):
    report = quick_audit(1, leaks=True, n=300, leaves=1, policy={"limits": {"excess": 0.4}})
    assert report.policy["outcome"] == "pass"
    assert str(report).endswith("PASS: policy policy: every rule is met, 1 of 1.")
    held = json.loads(report.to_json(tmp_path / "r.json"))["policy"]
    assert held == json.loads(json.dumps(report.policy))
    again = apply_policy(replace(report, policy=None), {"limits": {"excess": 0.4}})
    assert again.policy["rules"] == report.policy["rules"]
    assert "policy" not in str(replace(report, policy=None)).lower()


def test_several_targets_are_each_judged():
    X, y = POOL
    forest = RandomForestClassifier(10, random_state=0).fit(X[:300], y[:300])
    flat = RandomForestClassifier(10, max_depth=1, random_state=0).fit(X[:300], y[:300])
    attacks = [GapAttack(), ThresholdAttack()]
    pair = audit({"a": forest, "b": flat}, X[:300], y[:300], X[300:600], y[300:600], attacks,
                 random_state=0, policy={"limits": {"excess": 0.05}})  # fmt: skip
    assert [r.policy["outcome"] for r in pair.reports.values()] == ["fail", "pass"]


def test_a_policy_is_refused_before_the_work():
    def never(X):
        raise AssertionError("the target was asked")

    X, y = POOL
    with pytest.raises(ValueError, match="did you mean 'strict'"):
        audit(never, X, y, X, y, classes=[0, 1], policy="strickt")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_judge_any_report(name):
    policy = load_policy(name)
    assert policy.name == name and policy.description
    found = judged(name)
    assert {r["rule"] for r in found["rules"]} == set(policy.rules)
    assert json.loads(json.dumps(found)) == found
    lines = policy_lines(found)
    assert lines[-1] == found["message"] and all("\n" not in line for line in lines)


@pytest.mark.parametrize("text", ["a\0b\nPASS", "模" * 10_000, "\ud800", "\x1b[2J", ""])
def test_any_name_is_one_line(text):
    rows = [row(text), row("loss", labels_only=True)]
    table = {**made().slices["class"], "class": np.array([text, "b", "c"], dtype=object)}
    policy = {
        "name": text, "limits": {"excess": 0.02}, "slices": {"class": 0.6},
        "require": {"attacks": [text]},
        "waivers": [{"rule": "excess", "reason": text or "-", "until": "2027-01-01"}],
    }  # fmt: skip
    report = apply_policy(made(results=rows, slices={"class": table}), policy, today=TODAY)
    shown = "\n".join(policy_lines(report.policy))
    assert not set(shown) & set("\0\x1b\r\ud800")
    assert len(shown.splitlines()) == len(policy_lines(report.policy))
    shown.encode()
    json.loads(report.to_json().encode())
