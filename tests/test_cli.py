import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris, load_wine

from sklearn_aeppt.__main__ import main
from sklearn_aeppt.experiments import EXPERIMENTS


def test_demo_on_a_table_of_ones_own(tmp_path, capsys):
    X, y = load_wine(return_X_y=True, as_frame=True)
    X["kind"] = np.where(X["alcohol"] > 13, "strong", "light")
    table = pd.concat([X, X.sample(frac=1, random_state=0)]).assign(wine=np.r_[y, y])
    picture = tmp_path / "picture.png"
    for suffix in ("csv", "parquet"):
        file = tmp_path / f"wine.{suffix}"
        getattr(table, f"to_{suffix}")(file, index=False)
        status = main(["demo", "--data", str(file), "--target", "wine", "--out", str(picture)])
        shown = capsys.readouterr().out
        assert status == 0 and "label-only floor" in shown and "labels kept" in shown
        assert picture.read_bytes().startswith(b"\x89PNG")
        picture.unlink()


def test_demo_on_arrays(tmp_path, capsys):
    X, y = load_iris(return_X_y=True)
    file = tmp_path / "iris.npz"
    np.savez(file, X=X, y=np.array(["a", "b", "c"])[y])
    assert main(["demo", "--data", str(file), "--out", str(tmp_path / "p.png")]) == 0
    assert "iris.npz: 75 members, 75 non-members, 3 classes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("none.csv", None, [], "no such file"),
        ("words.txt", "a", [], "give an .npz, .csv or .parquet"),
        ("t.csv", "a,b\n1,2\n", ["--target", "c"], "'c' is no column: choose from ['a', 'b']"),
        ("t.csv", "a,b\n1,2\n", [], "give 40 records or more"),
    ],
)
def test_bad_files_are_one_line_and_status_2(tmp_path, capsys, name, content, options, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    assert main(["demo", "--data", str(tmp_path / name), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_arrays_without_the_names(tmp_path, capsys):
    np.savez(tmp_path / "a.npz", data=np.eye(3))
    assert main(["demo", "--data", str(tmp_path / "a.npz")]) == 2
    assert "numpy.savez(file, X=X, y=y)" in capsys.readouterr().err


def test_experiment_list_and_unknown_name(capsys):
    assert main(["experiment", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in EXPERIMENTS)
    assert main(["experiment", "nonesuch"]) == 2
    assert "choose from" in capsys.readouterr().err


def test_speed_experiment_runs_and_writes_its_figures(tmp_path, capsys):
    assert main(["experiment", "run", "speed", "--scale", "smoke", "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "speed.json").read_text())
    assert {"perturbation", "memory", "substitute training", "equalized"} == set(result["tables"])
    assert all(row["seconds"] > 0 for row in result["tables"]["perturbation"])
    assert result["versions"]["torch"] and "--seed 0" in result["command"]
    assert (tmp_path / "speed.md").read_text() in capsys.readouterr().out


# on data this small the held-out attackers may stay above chance
@pytest.mark.filterwarnings("ignore:No step_size up to:UserWarning")
@pytest.mark.parametrize("name", ["protection", "simplex"])
def test_experiments_on_made_up_and_packed_records(tmp_path, name):
    options = ["--scale", "smoke", "--out", str(tmp_path)]
    assert main(["experiment", name, *options]) == 0
    X = np.random.default_rng(0).integers(2, size=(400, 30), dtype=np.uint8)
    packed = np.packbits(X, axis=1)
    np.savez(tmp_path / "bits.npz", X_packed=packed, n_features=30, y=X[:, 0] + X[:, 1])
    assert main(["experiment", name, "--data", str(tmp_path), *options]) == 0
    rows = json.loads((tmp_path / f"{name}.json").read_text())["tables"]["runs"]
    assert all(row["data"].startswith("bits") and 0 <= row["mean L1"] <= 2 for row in rows)


@pytest.mark.filterwarnings("ignore:No step_size up to:UserWarning")
@pytest.mark.parametrize("name", ["adaptive", "attacks", "defenses"])
def test_comparisons_run(tmp_path, name):
    assert main(["experiment", name, "--scale", "smoke", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / f"{name}.json").read_text())["tables"]["runs"]
    accuracies = [row.get("accuracy", row.get("strongest retrained")) for row in rows]
    assert len(rows) >= 8 and 0.3 < min(accuracies) <= max(accuracies) < 1


def test_hardening_finds_no_row_amiss(tmp_path):
    assert main(["experiment", "hardening", "--scale", "smoke", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "hardening.json").read_text())["tables"]["checks"]
    assert {row["rows amiss"] for row in rows} == {0}
    assert {row["undefended"] for row in rows} == {0, None}
    assert all(row["largest difference"] < 1e-5 for row in rows if row["largest difference"])


def test_differential_privacy_beside_defended_answers(tmp_path):
    pytest.importorskip("opacus")
    assert main(["experiment", "dp", "--scale", "smoke", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "dp.json").read_text())["tables"]["runs"]
    assert all(row["strongest retrained"] <= row["bound on any attack"] <= 1 for row in rows)


def test_module_is_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "sklearn_aeppt", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "demo" in done.stdout
