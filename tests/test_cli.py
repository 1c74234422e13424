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


@pytest.mark.parametrize(
    ("command", "option", "value", "message"),
    [
        ("audit", "--seed", "-1", "argument --seed: -1: give a whole number, 0 to 4294967295"),
        ("audit", "--seed", "4294967296", "argument --seed: 4294967296"),
        ("protect", "--seed", "x", "argument --seed: x"),
        ("demo", "--seed", "-1", "argument --seed: -1"),
        ("experiment", "--seed", "-1", "argument --seed: -1"),
        ("experiment", "--seeds", "0", "argument --seeds: 0: give a whole number, 1 or more"),
        ("experiment", "--members", "-5", "argument --members: -5"),
        ("audit", "--jobs", "0", "argument --jobs: 0 runs nothing: give 1 or more, or -1"),
        ("audit", "--jobs", "two", "argument --jobs: two"),
        ("audit", "--cache", "file.csv", "--cache file.csv is a file: give a folder"),
        ("audit", "--out", "folder.html", "--out folder.html is a folder: give a file in it"),
        ("protect", "--out", ".", "--out . is a folder"),
        ("demo", "--out", "folder.html", "--out folder.html is a folder"),
        ("experiment", "--out", "file.csv", "--out file.csv is a file: give a folder"),
        ("audit", "--members", "folder.csv", "--members folder.csv is a folder: give a .csv"),
        ("audit", "--non-members", "folder.csv", "--non-members folder.csv is a folder"),
        ("audit", "--members", "empty.csv", "--members empty.csv is empty"),
        ("protect", "--members", "./other.csv", "--members ./other.csv and --non-members other.cs"),
        ("audit", "--members", "link.csv", "are the same file: give the records that trained"),
        ("demo", "--data", "empty.csv", "empty.csv is empty"),
    ],
)
def test_options_that_make_no_sense_are_status_2_and_named(
    tmp_path, monkeypatch, command, option, value, message
):
    monkeypatch.chdir(tmp_path)
    for name in ("folder.csv", "folder.html"):
        (tmp_path / name).mkdir()
    (tmp_path / "empty.csv").write_text("")
    for name in ("file.csv", "other.csv"):
        (tmp_path / name).write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "link.csv").symlink_to("other.csv")
    options = {"--members": "file.csv", "--non-members": "other.csv"}
    options |= {"--model": "m.skops", "--out": "o.skops"} if command == "protect" else {}
    options = {} if command == "demo" else {"table5": None} if command == "experiment" else options
    options[option] = value
    given = [part for pair in options.items() for part in pair if part is not None]
    done = subprocess.run(
        [sys.executable, "-m", "sklearn_aeppt", command, *given], capture_output=True, text=True
    )
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "o.skops").exists()
