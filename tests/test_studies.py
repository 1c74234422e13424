"""The studies of a checkout, run at smoke scale."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

from examples.studies import STUDIES, run_study
from examples.studies.__main__ import main

pytestmark = [
    pytest.mark.slow,  # minutes, of code that no user imports
    pytest.mark.filterwarnings("ignore:No step_size up to:UserWarning"),
]


def test_list_and_unknown_name(capsys):
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in STUDIES)
    assert main(["nonesuch"]) == 2
    assert "choose from" in capsys.readouterr().err


def test_speed_experiment_runs_and_writes_its_figures(tmp_path, capsys):
    assert main(["speed", "--scale", "smoke", "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "speed.json").read_text())
    assert {"perturbation", "memory", "substitute training", "equalized"} == set(result["tables"])
    assert all(row["seconds"] > 0 for row in result["tables"]["perturbation"])
    assert result["versions"]["torch"] and result["versions"]["sklearn-aeppt"]
    assert result["command"] == "python -m examples.studies speed --scale smoke --seed 0"
    assert (tmp_path / "speed.md").read_text() in capsys.readouterr().out


def test_increments_are_confirmed_by_the_double_loop(tmp_path):
    pytest.importorskip("numba")
    assert main(["increments", "--scale", "smoke", "--out", str(tmp_path)]) == 0
    tables = json.loads((tmp_path / "increments.json").read_text())["tables"]
    assert all(row["times the torch loop"] > 0 for row in tables["times"])
    assert len(tables["vectors"]) == 7
    for row in tables["vectors"]:
        assert row["largest distance of increments from the double loop"] < 1e-7
        assert row["the double loop agrees with increments"] == row["more than 1e-6 apart"]


# on data this small the held-out attackers may stay above chance
@pytest.mark.parametrize("name", ["protection", "simplex"])
def test_experiments_on_made_up_and_packed_records(tmp_path, name):
    options = ["--scale", "smoke", "--out", str(tmp_path)]
    assert main([name, *options]) == 0
    X = np.random.default_rng(0).integers(2, size=(400, 30), dtype=np.uint8)
    packed = np.packbits(X, axis=1)
    np.savez(tmp_path / "bits.npz", X_packed=packed, n_features=30, y=X[:, 0] + X[:, 1])
    assert main([name, "--data", str(tmp_path), *options]) == 0
    rows = json.loads((tmp_path / f"{name}.json").read_text())["tables"]["runs"]
    assert all(row["data"].startswith("bits") and 0 <= row["mean L1"] <= 2 for row in rows)


@pytest.mark.parametrize("name", ["adaptive", "attacks", "defenses"])
def test_comparisons_run(tmp_path, name):
    assert main([name, "--scale", "smoke", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / f"{name}.json").read_text())["tables"]["runs"]
    accuracies = [row.get("accuracy", row.get("strongest retrained")) for row in rows]
    assert len(rows) >= 8 and 0.3 < min(accuracies) <= max(accuracies) < 1


@pytest.mark.filterwarnings("ignore:k=1 hides nothing of 2 classes:UserWarning")
def test_hardening_finds_no_row_amiss(tmp_path):
    assert main(["hardening", "--scale", "smoke", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "hardening.json").read_text())["tables"]["checks"]
    assert {row["rows amiss"] for row in rows} == {0}
    assert {row["undefended"] for row in rows} == {0, None}
    assert all(row["largest difference"] < 1e-5 for row in rows if row["largest difference"])


def test_differential_privacy_beside_defended_answers(tmp_path):
    pytest.importorskip("opacus")
    assert main(["dp", "--scale", "smoke", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "dp.json").read_text())["tables"]["runs"]
    assert all(row["strongest retrained"] <= row["bound on any attack"] <= 1 for row in rows)


def test_below_the_floor_the_strongest_attackers_find_less(tmp_path):
    rows = {
        row["data"]: row
        for row in run_study("out_of_fold", scale="smoke", out=tmp_path)["tables"]["runs"]
    }
    model = "forest, out of bag: "
    undefended, defended = (rows[model + title] for title in ("undefended", "out of fold"))
    assert undefended["strongest"] > 0.9 > 0.75 > defended["strongest"]
    shadow = run_study("canaries", scale="smoke", out=tmp_path)["tables"]["runs"]
    auc = {row["data"]: row["strongest AUC"] for row in shadow}
    for kind in ("ordinary", "mislabeled", "with a near-duplicate"):
        assert auc[f"{model}undefended, {kind}"] > 0.95
    assert auc[f"{model}out of fold, ordinary"] < 0.6


def test_every_score_comes_from_one_matrix(tmp_path):
    tables = run_study("scores", scale="smoke", out=tmp_path)["tables"]
    auc = {row["data"].split(": ")[1]: row["AUC"] for row in tables["runs"][17:]}
    assert len(auc) == 17 and len(tables["runs"]) == 34
    assert min(auc["LiRA"], auc["BaVarIA"], auc["RMIA"], auc["BASE"]) > 0.8
    assert 0.4 < auc["label-only LiRA"] < auc["BaVarIA"]
    with pytest.raises(ValueError, match="dataset='none': choose from digits-forest"):
        run_study("scores", out=tmp_path, dataset="none")


def test_folds_are_compared_and_labels_kept(tmp_path):
    tables = run_study("folds_tradeoff", scale="smoke", out=tmp_path)["tables"]
    folds, labels, calibration, widths = (
        {row["data"].removeprefix("forest: "): row for row in tables[f"runs, {title}"]}
        for title in ("folds", "labels", "calibration", "width")
    )
    assert list(folds) == [
        "undefended", "cv=3, n_repeats=1", "cv=3, n_repeats=10", "cv=2, n_repeats=1"
    ]  # fmt: skip
    default = folds["cv=3, n_repeats=10"]
    assert folds["undefended"]["strongest"] > 0.9 > 0.7 > default["strongest"]
    assert default["log loss"] < folds["cv=3, n_repeats=1"]["log loss"]
    for title in ("undefended", "equalized", "labels kept", "labels kept, equalized"):
        assert labels[title]["labels kept, members"] == 1
        assert labels[title]["labels kept, new records"] == 1
    assert default["labels kept, members"] < 0.9
    assert labels["labels kept"]["strongest"] > default["strongest"] + 0.1
    bare = calibration["not calibrated"]
    assert bare["accuracy on new records"] == default["accuracy on new records"]
    assert bare["log loss"] != default["log loss"]
    assert len({row["log loss"] for row in widths.values()}) == 4  # the default's is one of them


@pytest.mark.parametrize("name", ["equalized", "frontier", "records", "rounds"])
def test_comparisons_of_defenses_run(name, tmp_path):
    if name == "frontier":
        pytest.importorskip("matplotlib")
    tables = run_study(name, scale="smoke", out=tmp_path)["tables"]
    assert all(
        row["mean L1"] >= 0 and row["excess"] < 0.5 for row in tables["runs"] if "excess" in row
    )
    kept = {row["data"]: row["labels kept"] for row in tables["runs"] if "labels kept" in row}
    changed = [data for data, share in kept.items() if share < 1]
    assert all(data.endswith("out of fold") for data in changed)


def test_the_gate_is_counted_for_models_that_leak_and_for_others(tmp_path):
    tables = run_study("gate", scale="smoke", out=tmp_path)["tables"]
    assert [(row["data"], row["suite"]) for row in tables["gate"]] == [
        (data, suite)
        for data in ("random membership", "forest that leaks")
        for suite in ("quick", "standard")
    ]
    assert all(row["seeds"] == 2 and 0 <= row["failed"] <= 2 for row in tables["gate"])
    assert len(tables["runs"]) == 8


def test_policies_are_counted_for_models_that_leak_and_for_others(tmp_path):
    tables = run_study("policies", scale="smoke", out=tmp_path)["tables"]
    for row in tables["policies"]:
        assert row["seeds"] == 2 == row["pass"] + row["fail"] + row["void"]
    rules = {row["limit at random guessing on"] for row in tables["limits"]}
    assert {"excess", "accuracy", "auc", "epsilon", "slice"} <= rules


def test_many_queries_gain_nothing_where_all_rows_are_equal(tmp_path):
    rows = run_study("queries", scale="smoke", out=tmp_path)["tables"]["runs"]
    assert all(row["answers that differ when repeated"] == 0 for row in rows)
    forest = {row["data"]: row for row in rows if row["data"].startswith("digits")}
    equal = forest["digits, forest: rows equal, template"]
    assert forest["digits, forest: none"]["gain"] > 0.1
    assert equal["gain"] < 2 * equal["interval, half"]


def test_a_service_is_measured_with_and_without_the_defense(tmp_path):
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    rows = run_study("serving", scale="smoke", out=tmp_path)["tables"]["runs"]
    assert [row["data"] for row in rows] == ["undefended", "equalized", "equalized / undefended"]
    assert all(row["requests/s"] > 0 for row in rows)


def test_combinations_of_other_libraries(tmp_path):
    for library in ("catboost", "dask.array", "lightgbm", "polars", "skops", "xgboost"):
        pytest.importorskip(library)
    tables = run_study("combinations", scale="smoke", out=tmp_path)["tables"]
    assert len(tables["outcomes"]) == 8
    for row in tables["outcomes"]:
        assert row["equalized"] == row["AEPPT"] == row["protect, command line"] == "labels kept"


def test_the_cost_of_folds_is_measured(tmp_path):
    tables = run_study("folds_cost", scale="smoke", out=tmp_path)["tables"]
    (row,) = tables["queries"]
    assert row["models"] == 30 and row["file, MB"] > row["search, MB"] > row["training table, MB"]
    for row in tables["timing"]:
        for name in ("answer", "search"):
            low, high = row[f"{name}, interval"]
            assert low <= row[f"{name}, AUC"] <= high
    fits = run_study("folds_jobs", scale="smoke", out=tmp_path)["tables"]
    assert sorted(fit["n_jobs"] for fit in fits["fit"]) == [1, 2]
    assert fits["fit, 2 jobs"][0]["times as fast"] > 0


def test_the_approximate_search_is_compared_with_the_exact_one(tmp_path):
    pytest.importorskip("faiss")
    rows = run_study("folds_index", scale="smoke", out=tmp_path)["tables"]["searches"]
    assert [row["data"] for row in rows] == ["table", "noise", "bits"]
    assert all(row["recall, nearest"] > 0.9 and row["missed"] <= 20 for row in rows)


def test_a_study_says_what_it_does_not_take(tmp_path):
    with pytest.raises(ValueError, match="'speed' takes no dataset"):
        run_study("speed", scale="smoke", out=tmp_path, dataset="cifar100")


def test_accusations_are_counted_over_seeds(tmp_path):
    tables = run_study("accusations", scale="smoke", out=tmp_path)["tables"]
    assert [row["seeds"] for row in tables["false discoveries"]] == [4] * 4
    assert all(0 <= row["false discovery rate"] <= 1 for row in tables["false discoveries"])
    assert all(row["bound, mean"] <= row["ceiling"] for row in tables["one run"][:5])
    assert len(tables["blind baseline"]) == 8 and tables["blind baseline"][0]["called out"] <= 1


def test_the_comparison_is_counted_for_models_that_got_worse_and_for_others(tmp_path):
    tables = run_study("worsening", scale="smoke", out=tmp_path)["tables"]
    assert [row["later model"] for row in tables["worsening"]] == ["equal, retrained", "worse"]
    assert all(0 <= row["called worse"] <= row["seeds"] == 2 for row in tables["worsening"])
    assert len(tables["runs"]) == 4
