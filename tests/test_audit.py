"""The audit, its report, and the commands."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from extras import needs_torch
from fakes import AnswerKeyedEqualizedClassifier, without_times
from scipy import sparse
from scipy.stats import norm
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.__main__ import main
from sklearn_aeppt._precomputed import PrecomputedClassifier
from sklearn_aeppt.attacks import (
    AdversarialTrainingAttack,
    AveragingAttack,
    BitFlips,
    FlipAttack,
    GapAttack,
    GaussianNoise,
    GradientBoostingAttack,
    LabelOnlyAttack,
    LiRAAttack,
    QuantileRegressionAttack,
    RMIAAttack,
    RoundingAttack,
    ShadowAttack,
    ThresholdAttack,
    VariantsAttack,
)
from sklearn_aeppt.audit import audit
from sklearn_aeppt.audit._excess import (
    confidence_of_each,
    excess_bounds,
    strongest_excess_at_least,
)
from sklearn_aeppt.audit._suites import shadow_template
from sklearn_aeppt.audit._views import accepted, ladder
from sklearn_aeppt.defenses import RoundingClassifier


@pytest.fixture(scope="module")
def sides(overfit):
    model, X, y, m = overfit
    return model, X[m], y[m], X[~m], y[~m]


def test_the_verdict_tells_what_leaks(sides):
    model, *records = sides
    undefended = audit(model, *records, "quick", random_state=0)
    assert undefended.leakage == "confidences"
    assert undefended.verdict.startswith("The confidences leak")
    assert "EqualizedClassifier" in undefended.advice[0]
    assert undefended.strongest["low"] > undefended.floor
    equalized = EqualizedClassifier(model, random_state=0)
    equalized.fit(records[0], records[2], y_mem=records[1], y_non=records[3])
    shown = audit(equalized, *records, "quick", random_state=0)
    assert shown.leakage in ("labels", "none", "inconclusive")
    assert shown.strongest["accuracy"] < undefended.strongest["accuracy"] - 0.05
    assert shown.floor == undefended.floor


def test_what_labels_give_away_is_not_blamed_on_confidences(sides):
    model, *records = sides
    report = audit(model, *records, "quick", random_state=0)
    assert [row["attack"] for row in report.results if row["labels_only"]] == ["label only (gap)"]
    varied = {**report.strongest, "attack": "label only, perturbed inputs", "labels_only": True}
    rows = [*report.results, varied]
    assert replace(report, results=rows).leakage == "labels"
    assert "nothing shows that the confidences add" in replace(report, results=rows).verdict
    stronger = {**report.strongest, "accuracy": 1.0, "low": 0.99}
    assert replace(report, results=[*rows, stronger], strongest=stronger).leakage == "confidences"


@pytest.mark.slow
def test_random_membership_is_no_leak():
    """Nobody was trained on: at most one false alarm in 20 at 95 %, corrected for the picking."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(900, 5)), rng.integers(2, size=900)
    model = LogisticRegression().fit(X[:100], y[:100])
    X, y, alarms, gate = X[100:], y[100:], 0, 0
    for seed in range(20):
        m = np.random.default_rng(seed).permutation(800) < 400
        report = audit(model, X[m], y[m], X[~m], y[~m], "quick", random_state=seed)
        alarms += report.leakage in ("labels", "confidences")
        gate += report.excess_at_least > 0.02
    assert alarms <= 3 and gate == 0


@pytest.mark.slow
def test_standard_suite_of_a_defense_tells_adaptive_attackers_from_others(sides, quick_substitute):
    from sklearn_aeppt import AEPPTClassifier

    model, *records = sides
    defense = AEPPTClassifier(
        model, step_size=1e-2, substitute=quick_substitute, query_noise="fresh", random_state=0
    ).fit(records[0], records[2])
    report = audit(defense, *records, "standard", random_state=0)
    names = {row["attack"]: row for row in report.results}
    assert not names["network, non-adaptive"]["adaptive"]
    assert names["adversarial training"]["adaptive"]
    assert "averaging over repeated queries" in names and "label only, perturbed inputs" in names
    assert {"counts of equal outputs", "outputs for slightly perturbed inputs"} <= set(names)
    assert all(names[name]["adaptive"] for name in names if "outputs" in name)
    assert names["labels of slightly perturbed inputs"]["labels_only"]
    assert not names["outputs for slightly perturbed inputs"]["labels_only"]
    assert report.strongest["adaptive"] and report.defended
    assert all(row["tpr_at_0.01_fpr"] is None for row in report.results)  # 150 non-members are few


def test_standard_suite_finds_draws_keyed_by_the_answer(sides):
    model, *records = sides
    X, y, X_non, y_non = records
    key = b"known to the defender alone"
    defense = AnswerKeyedEqualizedClassifier(model, cost="l1", key=key, random_state=0)
    report = audit(defense.fit(X, X_non, y_mem=y, y_non=y_non), *records, random_state=0)
    assert report.strongest["attack"] == "outputs for slightly perturbed inputs"
    auc = {row["attack"]: row["auc"] for row in report.ran}
    for blind in ("boosting", "labels of slightly perturbed inputs"):
        assert auc[blind] + 0.1 < auc["outputs for slightly perturbed inputs"]


def test_records_are_varied_as_far_as_the_target_takes_it():
    rng = np.random.default_rng(0)
    bits = pd.DataFrame({"a": rng.integers(2, size=80), "b": rng.integers(2, size=80)})
    mixed = bits.assign(c=rng.normal(size=80), name="x")
    for X, rungs in (
        (bits, 6), (bits.to_numpy(), 6), (bits.astype(bool), 6), (sparse.csr_array(bits), 6),
        (mixed, 4), (mixed[["c"]].to_numpy(), 4), (rng.random((4, 2, 2)), 4), (mixed.to_numpy(), 4),
    ):  # fmt: skip
        assert len(ladder(X)) == rungs
    for X in (["a", "b"], mixed[["name"]], mixed[["name"]].to_numpy(), np.array(["a", "b"])):
        assert ladder(X) is None
    y = rng.integers(2, size=80)
    coded = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(bits, y)
    with pytest.warns(UserWarning, match="rejects some.*GaussianNoise.*unknown categories"):
        steps = accepted(coded, bits, ladder(bits))
    assert steps == [BitFlips(n_flips=1), BitFlips(n_flips=2)]
    assert accepted(LogisticRegression().fit(bits, y), bits, ladder(bits)) == list(ladder(bits))
    # codes that one-hot encoding knows stay as they are, whatever type they have
    steps = make_column_transformer((OneHotEncoder(), ["a", "b"]), remainder="passthrough")
    for X in (mixed.drop(columns="name"), mixed.drop(columns="name").astype(float)):
        coded = make_pipeline(clone(steps), LogisticRegression()).fit(X, y)
        taken = accepted(coded, X, ladder(X))
        assert len(taken) == 4
        moved = taken[-1](X, np.random.RandomState(0))
        assert (moved[["a", "b"]] == X[["a", "b"]]).all(axis=None) and (moved["c"] != X["c"]).all()


def test_variants_that_change_nothing_are_refused():
    X = np.random.default_rng(0).random((80, 2))
    far, y = (X + 1e4).astype(np.float32), (X[:, 0] > 0.5).astype(int)
    with pytest.warns(UserWarning, match="it changes no record"):
        steps = accepted(LogisticRegression().fit(X, y), far, ladder(far))
    assert [step.scale for step in steps] == [1e-2]
    with pytest.raises(ValueError, match="DataFrame without any number to vary"):
        GaussianNoise(0.1)(pd.DataFrame({"name": ["a", "b"]}), np.random.RandomState(0))
    with pytest.raises(ValueError, match="2 columns with numbers of 3: flip the bits"):
        frame = pd.DataFrame({"a": [0, 1], "b": [True, False], "name": "x"})
        BitFlips(0.5)(frame, np.random.RandomState(0))


def test_answers_made_elsewhere_have_no_variants(sides):
    model, X, y, X_non, y_non = sides
    shown = [model.predict_proba(side) for side in (X, X_non)]
    report = audit(
        PrecomputedClassifier(model.classes_), shown[0], y, shown[1], y_non, random_state=0
    )
    assert "counts of equal outputs" in {row["attack"] for row in report.ran}
    varied = [row for row in report.results if "perturbed" in row["attack"]]
    assert len(varied) == 3 and all("no model to query" in row["not_run"] for row in varied)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model, *sides: model,
        lambda model, *sides: FrozenEstimator(model),
        lambda model, *sides: make_pipeline("passthrough", model),
        lambda model, *sides: RoundingClassifier(model).fit(*sides),
        lambda model, *sides: EqualizedClassifier(FrozenEstimator(model)).fit(*sides),
    ],
    ids=["bare", "frozen", "pipeline", "rounding", "equalized, frozen"],
)
def test_equal_confidences_are_no_equal_records(wrap):
    shown = np.tile([[0.9, 0.1], [0.2, 0.8]], (20, 1))
    target, y = wrap(PrecomputedClassifier([0, 1]), shown, shown), np.tile([0, 1], 20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = audit(target, shown, y, shown, y, [GapAttack()], random_state=0)
        both = audit({"a": target, "b": target}, shown, y, shown, y, [GapAttack()])
    assert report.n_non_members == both.reports["b"].n_non_members == 40
    with pytest.raises(ValueError, match="fitted_on names records, and only their confidences"):
        audit(target, shown, y, shown, y, [GapAttack()], fitted_on=shown)


HANDED_IN = {
    "label only (gap)": GapAttack(),
    "label only, perturbed inputs": LabelOnlyAttack(n_queries=20),
    "outputs for slightly perturbed inputs": VariantsAttack(),
    "labels of slightly perturbed inputs": VariantsAttack(labels_only=True),
    "quantile regression": QuantileRegressionAttack(),
    "shadow models": ShadowAttack(),
    "likelihood ratio (LiRA)": LiRAAttack(),
    "pairwise likelihood ratio (RMIA)": RMIAAttack(),
}


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(160, 6)), rng.integers(2, size=160)
    forest = RandomForestClassifier(n_estimators=5, random_state=0).fit(X[:80], y[:80])
    defense = EqualizedClassifier(forest, key=b"sixteen bytes ...", random_state=0)
    return defense.fit(X[:80], X[80:]), (X[:80], y[:80], X[80:], y[80:])


@pytest.mark.slow
def test_attacks_handed_in_are_prepared_as_those_of_a_suite(small):
    defense, sides = small
    suite = {row["attack"]: row for row in audit(defense, *sides, "full", random_state=0).results}
    for name, attack in HANDED_IN.items():
        report = audit(defense, *sides, {name: attack}, random_state=0)
        (alone,), among = report.results, dict(suite[name])
        for bound in ("excess_low", "excess_high"):  # corrected for the number of attacks
            assert abs(alone.pop(bound)) <= abs(among.pop(bound)) + 0.05
        assert alone == among, name
        assert report.canaries is None
        assert not hasattr(attack, "classes_") and not getattr(attack, "estimator", None)
    rows = [suite[name] for name in HANDED_IN]
    assert [row["labels_only"] for row in rows] == [True, True, False, True, *4 * [False]]
    assert [row["variants"] for row in rows] == [False, True, True, True, *4 * [False]]
    assert [row["per_record"] for row in rows] == [*4 * [False], True, False, True, True]


@pytest.mark.parametrize(
    "attack",
    [
        LabelOnlyAttack(),
        AveragingAttack(GradientBoostingAttack(max_iter=5)),
        AveragingAttack(LabelOnlyAttack(n_queries=20), n_queries=3),
        RoundingAttack(VariantsAttack(n_queries=5, max_iter=5)),
        RoundingAttack(LiRAAttack(n_shadow_models=4)),
        ShadowAttack(RandomForestClassifier(3), n_shadow_models=2),
        FlipAttack(RMIAAttack(n_shadow_models=4)),
        FlipAttack(AveragingAttack(ThresholdAttack(), n_queries=2)),
        AdversarialTrainingAttack(GradientBoostingAttack(max_iter=5), EqualizedClassifier(None)),
    ],
    ids=lambda attack: str(attack)[:60],
)
def test_wrappers_pass_on_what_their_attack_needs(small, attack):
    defense, sides = small
    (row,) = audit(defense, *sides, [attack], random_state=0).results
    assert 0 <= row["accuracy"] <= 1
    assert row["adaptive"] == (not isinstance(attack, FlipAttack))


def test_what_an_attack_lacks_is_a_row_that_says_why(small):
    defense, (X, y, X_non, y_non) = small
    forest = defense.estimator_
    shown = [LogisticRegression().fit(X, y).predict_proba(side) for side in (X, X_non)]
    elsewhere = PrecomputedClassifier(forest.classes_), shown[0], y, shown[1], y_non

    class Service:
        classes_ = forest.classes_

        def predict_proba(self, X):
            return forest.predict_proba(X)

    for (target, *sides), attack, reason in (
        (elsewhere, LiRAAttack(), "only their confidences are given"),
        (elsewhere, VariantsAttack(), "there is no model to query"),
        (elsewhere, RoundingAttack(LabelOnlyAttack()), "there is no model to query"),
        ((Service(), X, y, X_non, y_non), RMIAAttack(), "cannot be retrained"),
    ):
        report = audit(target, *sides, [GapAttack(), attack], random_state=0)
        assert reason in report.not_run[0]["not_run"] and len(report.ran) == 1
        assert "not run: " in str(report) and report.strongest["labels_only"]
        with pytest.raises(ValueError, match=f"No attack can be run. .*{reason}"):
            audit(target, *sides, [attack], random_state=0)


def test_queries_that_the_target_refuses_cost_their_attacks_only(small):
    model, sides = small[0].estimator_, small[1]

    class Limited:
        classes_ = model.classes_

        def predict_proba(self, X):
            if len(X) > 200:
                raise ValueError("at most 200 records at a time")
            return model.predict_proba(X)

    report = audit(Limited(), *sides, "standard", random_state=0)
    refused = [row["attack"] for row in report.not_run if "at most 200" in row["not_run"]]
    assert "outputs for slightly perturbed inputs" in refused and len(report.ran) > 6


def test_a_target_that_cannot_be_cloned_costs_a_row(small):
    class Uncloneable(RandomForestClassifier):
        def __sklearn_clone__(self):
            raise RuntimeError("Cannot clone object, as the constructor modifies a parameter")

    sides = small[1]
    target = Uncloneable(5, random_state=0).fit(*sides[:2])
    attacks = {"LiRA": LiRAAttack(n_shadow_models=2), "gap": GapAttack()}
    report = audit(target, *sides, attacks, random_state=0)
    assert "Cannot clone object" in report.not_run[0]["not_run"] and len(report.ran) == 1


def test_averaging_is_not_run_by_a_suite_where_there_is_nothing_to_average(small):
    defense, sides = small
    report = audit(defense, *sides, random_state=0)
    assert (
        "nothing to average"
        in {r["attack"]: r for r in report.not_run}["averaging over repeated queries"]["not_run"]
    )


def test_full_suite_trains_shadow_models_of_the_targets_kind():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(240, 20)), rng.integers(2, size=240)
    forest = RandomForestClassifier(n_estimators=10, random_state=0).fit(X[:120], y[:120])
    slices = {"half": (np.arange(120) % 2, np.arange(120) % 2)}
    report = audit(
        forest, X[:120], y[:120], X[120:], y[120:], "full", random_state=0, slices=slices
    )
    assert report.canaries["n"] == 60 and report.canaries["low"] > 0.6
    assert "mislabeled" in str(report)
    assert list(report.slices["half"]["class"]) == [0, 1]
    names = [row["attack"] for row in report.results]
    assert {"likelihood ratio (LiRA)", "pairwise likelihood ratio (RMIA)", "shadow models"} <= set(
        names
    )
    assert report.leakage in ("labels", "confidences")


def test_template_of_a_target_is_unfitted_and_keeps_the_defense(sides):
    model, X, _, X_non, _ = sides
    defense = EqualizedClassifier(model, pairwise_delta=0.3).fit(X, X_non)
    template = shadow_template(defense)
    assert not hasattr(template, "estimator_") and not hasattr(template.estimator, "coefs_")
    assert template.pairwise_delta == 0.3
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, X[:, 0] > 0)
    assert not hasattr(shadow_template(pipe)[-1], "coef_")


def test_jobs_and_cache_change_nothing(sides, tmp_path):
    model, *records = sides

    def run(**options):
        report = audit(model, *records, "quick", random_state=3, **options)
        return without_times(json.loads(report.to_json()))

    first = run()
    assert run(n_jobs=2) == first
    assert run(memory=str(tmp_path)) == first
    assert run(memory=str(tmp_path)) == first
    assert len(list(tmp_path.rglob("output.pkl"))) == 8  # four attacks, each trained twice


def test_report_in_every_form(sides, tmp_path):
    model, *records = sides
    attacks = {"<mine>": ThresholdAttack(), "boosting": GradientBoostingAttack(random_state=0)}
    report = audit(model, *records, attacks, random_state=0, name="<b>model")
    frame = report.to_frame()
    assert list(frame["accuracy"]) == sorted(frame["accuracy"], reverse=True)
    data = json.loads(report.to_json(tmp_path / "r.json"))
    assert data["verdict"] == report.verdict and len(data["results"]) == 2
    assert json.loads((tmp_path / "r.json").read_text()) == data
    page = report.to_html(tmp_path / "r.html").read_text()
    assert "&lt;mine&gt;" in page and "<mine>" not in page and "<b>model" not in page
    assert page.count("<svg") == 3 and "src=" not in page and "http" not in page
    assert report.plot().get_xlabel().startswith("Attack accuracy")
    assert "&" not in str(report) and report.verdict in str(report)
    assert set(report.at_risk) <= set(range(len(records[0])))


def test_several_targets_side_by_side(sides, tmp_path, quick_substitute):
    from sklearn_aeppt import AEPPTClassifier

    model, *records = sides
    aeppt = AEPPTClassifier(model, step_size=1e-3, substitute=quick_substitute, random_state=0)
    equalized = EqualizedClassifier(model, random_state=0)
    targets = {
        "undefended": model,
        "AEPPT": aeppt.fit(records[0], records[2]),
        "equalized": equalized.fit(records[0], records[2], y_mem=records[1], y_non=records[3]),
    }
    comparison = audit(targets, *records, "quick", random_state=0)
    frame = comparison.to_frame().set_index("target")
    assert frame.loc["undefended", "mean L1"] == 0 < frame.loc["AEPPT", "mean L1"]
    assert frame.loc["equalized", "accuracy"] < frame.loc["undefended", "accuracy"]
    page = comparison.to_html(tmp_path / "c.html").read_text()
    assert page.count("<svg") == 10
    assert set(json.loads(comparison.to_json())["reports"]) == set(targets)
    assert "undefended: The confidences leak" in str(comparison)


def test_the_order_of_classes_is_no_perturbation(sides):
    model, *records = sides
    reordered = PrecomputedClassifier(model.classes_[::-1])
    reordered.predict_proba = lambda X: model.predict_proba(X)[:, ::-1]
    both = audit({"a": model, "b": reordered}, *records, [GapAttack()], random_state=0)
    assert both.size == {"a": 0, "b": 0}
    fewer = PrecomputedClassifier(model.classes_[:-1])
    for other in (fewer, PrecomputedClassifier([*model.classes_[:-1], 99])):
        with pytest.raises(ValueError, match="Targets 'a' and 'b' have different classes"):
            audit({"a": model, "b": other}, *records, [GapAttack()], random_state=0)
    with pytest.raises(ValueError, match=r"target={} holds nothing to audit"):
        audit({}, *records)


def test_bad_input_names_the_mend(sides):
    model, X, y, X_non, y_non = sides
    with pytest.raises(ValueError, match="y_mem has 3 labels for 300 records"):
        audit(model, X, y[:3], X_non, y_non)
    with pytest.raises(ValueError, match="attacks='all' is not a suite: choose from quick"):
        audit(model, X, y, X_non, y_non, "all")
    for attacks in (None, GapAttack()):
        with pytest.raises(
            ValueError, match=r"attacks=.* is neither the name of a suite nor .* a list"
        ):
            audit(model, X, y, X_non, y_non, attacks)
    with pytest.raises(ValueError, match="holds labels that the target"):
        audit(model, X, y, X_non, y_non + 50)
    with pytest.warns(UserWarning, match="10 of 310 non-members equal a member"):
        again = audit(model, X, y, np.r_[X_non, X[:10]], np.r_[y_non, y[:10]], "quick")
    assert again.n_non_members == 300


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    import joblib

    skops = pytest.importorskip("skops.io")
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        (rng.random((600, 12)) < 0.4).astype(float), columns=[f"c{i}" for i in range(12)]
    )
    y = rng.integers(3, size=600)
    forest = RandomForestClassifier(n_estimators=20, random_state=0).fit(X[:300], y[:300])
    skops.dump(forest, folder / "model.skops")
    joblib.dump(forest, folder / "model.joblib")
    noise = rng.normal(0, 1e-3, size=X.shape)  # so that no record stands on both sides
    table = (X + noise).assign(label=y)
    forest.fit((X + noise)[:300], y[:300])
    skops.dump(forest, folder / "model.skops")
    joblib.dump(forest, folder / "model.joblib")
    table[:300].to_csv(folder / "members.csv", index=False)
    table[300:].to_parquet(folder / "others.parquet")
    return folder


def command(folder, *extra, model="model.skops", members="members.csv", name="audit"):
    given = ["--members", str(folder / members), "--non-members", str(folder / "others.parquet")]
    options = ["--model", str(folder / model)] if model else []
    return [name, *given, *options, *map(str, extra)]


def test_audit_command(files, tmp_path, capsys):
    out = tmp_path / "report.html"
    options = ["--attacks", "quick", "--seed", 0]
    assert main(command(files, *options, "--out", out)) == 0
    assert "The confidences leak" in capsys.readouterr().out
    assert out.read_text().startswith("<!doctype html>")
    assert main(command(files, *options, "--fail-above", 0.02, "--format", "json")) == 1
    assert json.loads(capsys.readouterr().out)["leakage"] == "confidences"
    assert main(command(files, *options, "--fail-above", 0.45)) == 0
    assert main(command(files, *options, "--trust", model="model.joblib")) == 0


def test_audit_command_of_answers_made_elsewhere(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name, alpha in (("members", [9, 1, 1]), ("others", [3, 2, 2])):
        table = pd.DataFrame(rng.dirichlet(alpha, 300), columns=["0", "1", "2"]).assign(label=0)
        table.to_parquet(tmp_path / f"{name}.parquet")
    given = command(tmp_path, "--attacks", "quick", model=None, members="members.parquet")
    assert main(given) == 0
    assert "The confidences leak" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra": ["--target", "nothing"]}, "has no column 'nothing'"),
        ({"members": "missing.csv"}, "no such file"),
        ({"model": "missing.skops"}, "no such file"),
        ({"model": "model.joblib"}, "add --trust"),
        ({"extra": ["--target", "c0"]}, "lacks the column(s) c0 of the model"),
        ({"extra": ["--out", "report.pdf"]}, "ends in .html or .json"),
    ],
    ids=lambda o: "" if isinstance(o, str) else str(o),
)
def test_audit_command_with_bad_input_says_the_mend_in_one_line(files, capsys, options, message):
    extra = options.pop("extra", [])
    assert main(command(files, *extra, **options)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("sklearn-aeppt: ") and message in error


@needs_torch
def test_protect_takes_every_output_defense():
    from sklearn_aeppt import defenses
    from sklearn_aeppt.__main__ import DEFENSES

    known = [getattr(defenses, name) for name in defenses.__all__]
    base = defenses.OutputDefense
    found = [d for d in known if isinstance(d, type) and issubclass(d, base) and d is not base]
    assert sorted(d.__name__ for d in found) == sorted(DEFENSES)


def test_protect_command_takes_the_defense_and_its_parameters(files, tmp_path, capsys):
    from skops.io import get_untrusted_types, load

    out = tmp_path / "defended.skops"
    equalized = ["--set", "cost=l1", "--set", "pairwise_delta=0.5", "--out", out]
    assert main(command(files, *equalized, name="protect")) == 0
    defended = load(out, trusted=get_untrusted_types(file=out))
    assert (defended.cost, defended.pairwise_delta) == ("l1", 0.5)
    rounded = ["--defense", "RoundingClassifier", "--set", "decimals=1", "--out", out]
    assert main(command(files, *rounded, name="protect")) == 0
    assert "wrapped in RoundingClassifier" in capsys.readouterr().out
    assert load(out, trusted=get_untrusted_types(file=out)).decimals == 1


@pytest.mark.parametrize(
    "given, message",
    [
        ("cost", "give NAME=VALUE"),
        ("decimals=1", "EqualizedClassifier has the names alpha"),
        ("key=b'0123456789abcdef'", "--set key"),
        ("estimator=None", "--set estimator"),
        ("cost=l3", "'cost' parameter of EqualizedClassifier must be"),
        ("delta=2", "'delta' parameter of EqualizedClassifier must be"),
    ],
)
def test_protect_command_refuses_parameters_that_are_none(files, tmp_path, capsys, given, message):
    out = tmp_path / "defended.skops"
    assert main(command(files, "--set", given, "--out", out, name="protect")) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("sklearn-aeppt: ") and message in error
    assert not out.exists()


def test_protect_command_makes_a_model_that_answers_alike_when_loaded(files, tmp_path, capsys):
    from skops.io import get_untrusted_types, load

    out = tmp_path / "defended.skops"
    assert main(command(files, "--out", out, name="protect")) == 0
    assert "keep it as secret" in capsys.readouterr().out
    types = sorted(get_untrusted_types(file=out))
    tree, *ours = types
    assert tree == "sklearn.tree._tree.Tree"
    assert {name.rpartition(".")[2] for name in ours} == {
        "EqualizedClassifier", "RecordField", "RecordGrid", "RecordReader",
    }  # fmt: skip
    assert all(name.startswith("sklearn_aeppt.") for name in ours)
    defended, model = load(out, trusted=types), load(files / "model.skops", trusted=[tree])
    X = pd.read_csv(files / "members.csv").drop(columns="label")
    proba = defended.predict_proba(X)
    np.testing.assert_array_equal(proba.argmax(axis=1), model.predict_proba(X).argmax(axis=1))
    np.testing.assert_array_equal(proba, load(out, trusted=types).predict_proba(X))
    audited = command(files, "--attacks", "quick", "--seed", 0)
    audited[audited.index("--model") + 1] = str(out)
    assert main(audited) == 0


def test_no_leakage_is_said_only_where_it_is_excluded():
    """Nobody was trained on: with few records that is not known, with many it is."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30_100, 3)), rng.integers(2, size=30_100)
    model = LogisticRegression().fit(X[:100], y[:100])
    few, many = (
        audit(
            model, X[100 : 100 + n], y[100 : 100 + n], X[-n:], y[-n:],
            [GapAttack(), ThresholdAttack()], random_state=0,
        )
        for n in (200, 15_000)
    )  # fmt: skip
    assert few.leakage == "inconclusive" and many.leakage == "none"
    assert "are not excluded with these records; about" in few.verdict
    assert "on each side would decide" in few.verdict
    assert few._enough() > 1000
    assert "members and as many non-members" in " ".join(few.advice)
    assert many.verdict.startswith("No leakage found")
    assert many.excess_at_most < 0.02


def test_the_gap_attack_stands_at_exactly_zero(sides):
    model, *records = sides
    for seed in range(3):
        report = audit(model, *records, [GapAttack(), ThresholdAttack()], random_state=seed)
        gap = report.results[0]
        assert gap["excess"] == 0 and gap["accuracy"] == report.floor
        assert gap["excess_low"] < 0 < gap["excess_high"]


def test_the_strongest_is_named_for_each_measure(sides):
    model, *records = sides
    report = audit(model, *records, "quick", random_state=0)
    best = report.strongest_by
    assert {"accuracy", "auc", "tpr_at_0.1_fpr"} == set(best)  # too few records for 1 %
    for measure, row in best.items():
        assert row[measure] == max(other[measure] for other in report.ran)
    assert "By other measures: AUC" in report.verdict


def test_bounds_on_the_excess_hold():
    """A coin and a labels-only attacker in one: the excess is known, 0.05."""
    rng, missed = np.random.default_rng(0), 0
    for _ in range(400):
        member = np.arange(600) < 300
        right = rng.random(600) < np.where(member, 0.8, 0.6)
        # the attack agrees with the labels but for 10 % of the records, where it is right
        said = np.where(rng.random(600) < 0.1, member, right)
        truth = 0.1 * 0.5 * (0.2 + 0.6)
        low, high = excess_bounds(member, said, right, 0.95)
        missed += (low > truth) + (high < truth)
    assert 10 <= missed <= 70  # each bound errs in 5 %


def test_the_correction_knows_how_much_alike_attacks_decide():
    rng, member = np.random.default_rng(0), np.arange(4000) < 2000
    right, one, *others = rng.random((7, 4000)) < 0.5
    each = lambda *decisions: confidence_of_each(member, decisions, right, 0.95)  # noqa: E731
    assert each(one) == pytest.approx(0.95, abs=0.002)
    assert each(right) == pytest.approx(0.95, abs=0.002)  # the label-only attack alone
    assert each(one, one, one) == pytest.approx(each(one), abs=0.002)
    nearly = [np.where(rng.random(4000) < 0.1, other, one) for other in others]
    bonferroni = 1 - 0.05 / 6
    assert each(one) + 0.01 < each(one, *nearly) < each(one, *others) < bonferroni + 0.001
    assert each(one, *nearly) == each(one, *nearly)  # its draws have one seed


HALVES = np.arange(0, 1000, 2), np.arange(1, 1000, 2)


def test_bounds_hold_for_all_attacks_together():
    """Six attacks, each right about 0.55 of the records and much alike; labels are of no use."""
    rng, member, failed, above = np.random.default_rng(0), np.arange(1000) < 500, 0, 0
    for _ in range(60):
        common, right = rng.normal(size=1000), rng.random(1000) < 0.3
        hits = norm.cdf((common + rng.normal(size=(6, 1000))) / np.sqrt(2)) < 0.55
        decisions = hits == member
        each = confidence_of_each(member, decisions, right == member, 0.95)
        low = [excess_bounds(member, said, right == member, each)[0] for said in decisions]
        failed += max(low) > 0.05
        above += strongest_excess_at_least(member, decisions, right == member, HALVES, 0.95) > 0.05
    assert 1 <= failed <= 8 and above <= 8  # of 60, at 5 %


def test_many_attacks_cost_the_strongest_next_to_nothing():
    rng, member = np.random.default_rng(0), np.arange(4000) % 2 == 0
    right, halves = rng.random(4000) < 0.5, (np.arange(2000), np.arange(2000, 4000))
    decisions = (rng.random((13, 4000)) < np.r_[0.6, np.full(12, 0.4)][:, None]) == member
    least = lambda some: strongest_excess_at_least(member, some, right, halves, 0.95)  # noqa: E731
    assert least(decisions) == least(decisions[:1])
    assert least(decisions) == excess_bounds(member, decisions[0], right, 0.95)[0] > 0.05
    assert abs(least(decisions[1:])) < 0.03  # nobody gains: labels decide
    # each half is judged by the attack that is best on the other one
    lucky = [decisions[0].copy(), decisions[0].copy()]
    for some, half in zip(lucky, halves):
        some[half] = member[half]
    assert least(lucky) == excess_bounds(member, decisions[0], right, 0.95)[0]
    assert least(lucky[:1]) > 0.2


# ---- two halves, each attacked with what the other teaches


class Seen(ThresholdAttack):
    """Says "member" of the outputs that it was trained on as members'."""

    def fit(self, X, y):
        self.members_ = {p.tobytes() for p in X["proba"][y]}
        return super().fit(X, y)

    def decision_function(self, X):
        return np.array([1.0 if p.tobytes() in self.members_ else -1.0 for p in X["proba"]])


class Scaled(ThresholdAttack):
    """Scores on a scale that depends on what it was trained on."""

    def decision_function(self, X):
        return 1e6 * self.thresholds_.sum() + super().decision_function(X)

    def predict(self, X):
        return super().decision_function(X) > 0


class FailsOnOneHalf(ThresholdAttack):
    def fit(self, X, y):
        if (X["proba"] == FailsOnOneHalf.first).all(axis=1).any():
            raise RuntimeError("not with this record")
        return super().fit(X, y)


def plain(n=100, seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(2 * n, 6)), rng.integers(2, size=2 * n)
    model = RandomForestClassifier(20, random_state=0).fit(X[:n], y[:n])
    return model, X[:n], y[:n], X[n:], y[n:]


def test_every_record_is_scored_once_by_an_attack_that_was_not_trained_on_it():
    model, X, y, X_non, y_non = plain()
    smooth = LogisticRegression().fit(X, y)  # no two records have equal outputs
    report = audit(smooth, X, y, X_non, y_non, [Seen()], random_state=0)
    assert report.strongest["accuracy"] == report.strongest["auc"] == 0.5
    report = audit(model, X, y, X_non, y_non, "quick", random_state=0)
    for table in report.slices.values():
        assert (sum(table["n_members"]), sum(table["n_non_members"])) == (100, 100)
    right = (model.predict(X) == y).mean(), (model.predict(X_non) == y_non).mean()
    assert report.floor == pytest.approx(0.5 + (right[0] - right[1]) / 2)
    assert report.strongest["tpr_at_0.1_fpr"] is not None  # 100 non-members decide
    few = audit(model, X, y, X_non[:99], y_non[:99], "quick", random_state=0)
    assert few.strongest["tpr_at_0.1_fpr"] is None
    assert len(report.at_risk) == 20 and set(report.at_risk) <= set(range(100))


def test_scores_of_two_trainings_are_put_on_one_scale():
    attacks = {"plain": ThresholdAttack(), "scaled": Scaled()}
    one, other = audit(*plain(), attacks, random_state=0).results
    assert one == {**other, "attack": "plain"}


def test_an_attack_that_fails_on_one_half_is_not_run():
    _, *records = plain()
    smooth = LogisticRegression().fit(*records[:2])  # no two records have equal outputs
    FailsOnOneHalf.first = smooth.predict_proba(records[0])[:1].astype(np.float32)
    attacks = {"half": FailsOnOneHalf(), "gap": GapAttack()}
    with pytest.warns(UserWarning, match="half is not in the report: RuntimeError: not with this"):
        report = audit(smooth, *records, attacks, random_state=0)
    assert [row["attack"] for row in report.ran] == ["gap"]


def test_the_progress_bar_counts_attacks(capsys):
    audit(*plain(), "quick", random_state=0, verbose=1)
    assert "4/4" in capsys.readouterr().err


# ---- the members that a defense was fitted on


def test_the_report_says_whether_the_defense_was_fitted_on_the_audited_members(small, tmp_path):
    defense, (X, y, X_non, y_non) = small
    run = lambda **options: audit(  # noqa: E731
        defense, X, y, X_non, y_non, [GapAttack()], random_state=0, **options
    )
    for fitted_on, n in ((X, 80), (X[:10], 10), (X_non, 0), (np.r_[X_non, X[::-1]], 80)):
        report = run(fitted_on=fitted_on)
        said = f"The defense was fitted on {n} of the 80 audited members"
        said += "." if n else ", none of them: are these the same columns, of the same type?"
        assert report.n_fitted_on == n and report.defense_fit == said
        data = json.loads(report.to_json())
        assert (data["n_fitted_on"], data["defense_fit"]) == (n, said)
        assert said in str(report) and said in report.to_html(tmp_path / "r.html").read_text()
        assert ("Audit members that the defense was fitted on" in str(report)) == (n < 72)
    report = run()
    assert report.n_fitted_on is None and report.defense_fit.startswith("Not checked: whether the")
    assert report.defense_fit in str(report) and json.loads(report.to_json())["defense_fit"]
    assert report.defense_fit in report.to_html(tmp_path / "r.html").read_text()


def test_records_kept_as_float32_are_the_same_records(small):
    defense, (X, y, X_non, y_non) = small
    stored = (X + np.pi).astype(np.float32)
    assert (
        audit(defense, X + np.pi, y, X_non, y_non, [GapAttack()], fitted_on=stored).n_fitted_on
        == 80
    )
    with pytest.warns(UserWarning, match="10 of 90 non-members equal a member"):
        again = np.r_[X_non, X[:10] + np.pi]
        audit(defense, stored, y, again, np.r_[y_non, y[:10]], [GapAttack()])


def test_members_of_a_defense_are_asked_for_where_there_is_one(small):
    defense, sides = small
    forest = defense.estimator_
    assert audit(forest, *sides, [GapAttack()], random_state=0).defense_fit == ""
    targets = {"undefended": forest, "equalized": defense}
    both = audit(targets, *sides, [GapAttack()], random_state=0, fitted_on=sides[0])
    assert [report.n_fitted_on for report in both.reports.values()] == [None, 80]
    served = audit(
        forest.predict_proba, *sides, [GapAttack()], classes=forest.classes_, fitted_on=sides[0]
    )
    assert served.n_fitted_on == 80  # who gives the records knows that there is a defense


def test_records_of_a_fit_that_cannot_be_compared_are_refused(small):
    defense, (X, y, X_non, y_non) = small
    with pytest.raises(ValueError, match=r"X_mem has records of shape .* and fitted_on of shape"):
        audit(defense, X, y, X_non, y_non, fitted_on=X[:, 1:])
    shown = [defense.predict_proba(side) for side in (X, X_non)]
    elsewhere = PrecomputedClassifier(defense.classes_)
    with pytest.raises(ValueError, match="fitted_on names records, and only their confidences"):
        audit(elsewhere, shown[0], y, shown[1], y_non, fitted_on=X)
