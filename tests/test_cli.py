import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris, load_wine

from sklearn_aeppt.__main__ import main
from sklearn_aeppt.paper import EXPERIMENTS


@pytest.mark.slow
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
        ("words.txt", "a", [], "give .csv, .tsv"),
        ("t.csv", "a,b\n1,2\n", ["--target", "c"], "has no column 'c': it has a, b"),
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


def test_module_is_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "sklearn_aeppt", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "demo" in done.stdout
