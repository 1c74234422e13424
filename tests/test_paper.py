"""Every table and figure of the paper, and the comparisons, run at smoke scale."""

import json
import pickle

import numpy as np
import pytest
from joblib import Memory

pytest.importorskip("torch")

from sklearn_aeppt.__main__ import main
from sklearn_aeppt.paper import EXPERIMENTS as PAPER
from sklearn_aeppt.paper._run import run_paper as run_experiment
from sklearn_aeppt.paper._targets import Game, checkpoint_of, walmart_baskets

# on data this small the held-out attackers may stay above chance
pytestmark = pytest.mark.filterwarnings("ignore:No step_size up to:UserWarning")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("results")  # shared, so that targets are trained once


def test_there_are_thirteen():
    assert len(PAPER) == 13


@pytest.mark.parametrize("name", PAPER)
def test_every_table_and_figure_runs(name, out, capsys):
    assert main(["experiment", "run", name, "--scale", "smoke", "--out", str(out)]) == 0
    result = json.loads((out / f"{name}.json").read_text())
    rows = result["tables"]["runs"]
    assert rows[0]["members"] == 150 and rows[0]["train accuracy"] > 0.9
    assert result["command"] == f"sklearn-aeppt experiment {name} --scale smoke --seed 0"
    assert (out / f"{name}.md").read_text() in capsys.readouterr().out
    pytest.importorskip("matplotlib")
    assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    for key in ("accuracy", "fixed MIM0", "MIM0 retrained", "boosting retrained", "labels kept"):
        assert all(0 <= row.get(key, 0) <= 1 for row in rows)


def test_table2_keeps_every_label(out):
    rows = run_experiment("table2", scale="smoke", out=out)["tables"]["runs"]
    ours = next(row for row in rows if row["defense"] == "AEPPT")
    assert ours["labels kept"] == 1.0
    assert ours["shown test accuracy"] == ours["test accuracy"]


def test_seeds_members_and_datasets_are_taken(out, tmp_path):
    result = run_experiment("figure7", scale="smoke", out=out, seeds=2, members=60)
    assert {row["seed"] for row in result["tables"]["runs"]} == {0, 1}
    assert "mean and standard deviation over seeds" in result["tables"]
    folder = tmp_path / "sklearn_aeppt" / "cifar-100-python"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, n in (("train", 300), ("test", 100)):
        images = {
            b"data": rng.integers(256, size=(n, 3072), dtype=np.uint8),
            b"fine_labels": (np.arange(n) % 5).tolist(),
        }
        (folder / part).write_bytes(pickle.dumps(images))
    (folder / "meta").write_bytes(pickle.dumps({b"fine_label_names": [b"a"] * 100}))
    game = Game("cifar100", "smoke", 0, data=tmp_path, members=80)
    assert game.target["members"] == 80 and game.p.shape == (160, 5)
    with pytest.raises(ValueError, match="dataset='mnist': choose from cifar100"):
        run_experiment("table2", scale="smoke", out=out, dataset="mnist")
    with pytest.raises(ValueError, match="dataset='baskets' needs"):
        walmart_baskets(tmp_path)
    with pytest.raises(ValueError, match="table5 needs classes to choose"):
        run_experiment("table5", scale="smoke", out=out, dataset="location30", data=tmp_path)


def test_targets_that_differ_have_checkpoints_of_their_own(tmp_path):
    memory = Memory(tmp_path, verbose=0)
    games = [("baskets", n, k, s) for n in (60, 70) for k in (5, 10) for s in (0, 1)]
    assert len({checkpoint_of(memory, *game) for game in games}) == 8


def test_the_mean_over_seeds_keeps_cases_apart(out):
    """Defenses by their name though their step differs, and each number of classes by itself."""
    for name, n_cases in (("table2", 3), ("table5", 4)):
        tables = run_experiment(name, scale="smoke", out=out, seeds=2)["tables"]
        means = tables["mean and standard deviation over seeds"]
        assert len(means) == n_cases and all(row["seeds"] == 2 for row in means)
