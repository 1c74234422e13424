"""The experiment on the bound: its figures add up, and it finds a bound that does not hold."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from fakes import AnswerKeyedEqualizedClassifier

from examples.studies import bound
from examples.studies.__main__ import main

RESULT = Path(__file__).resolve().parents[1] / "docs" / "results" / "bound.json"


def test_the_experiment_at_a_small_scale(tmp_path):
    assert main(["bound", "--scale", "smoke", "--out", str(tmp_path)]) == 0
    tables = json.loads((tmp_path / "bound.json").read_text())["tables"]
    violated, below = tables["violated"], tables["bound less greatest advantage"]
    assert {row["data"] for row in violated} == {
        f"neighbors, by distance: {setting}" for setting in bound.SETTINGS
    }
    for row in violated:
        found = [run[row["data"]] for run in below]
        assert row["repetitions"] == len(found) == 3
        assert row["violated"] == 0 and row["least distance to the bound"] > 0
        assert row["least distance to the bound"] == pytest.approx(min(found), abs=1e-4)
        assert row["advantage, greatest"] + np.mean(found) == pytest.approx(
            row["advantage_bound_"], abs=1e-3
        )
        assert row["advantage, greatest"] >= row["advantage, labels"] > 0.1


def test_a_repetition_is_the_same_again():
    assert bound.play("neighbors, by distance", 5) == bound.play("neighbors, by distance", 5)


@pytest.mark.parametrize("name", ["extra trees", "neighbors, by distance"])
def test_draws_keyed_by_the_answer_violate_the_bound(name):
    """What hid the advantage behind a bound that was false: the experiment must see it."""
    row = bound.play(name, 0, AnswerKeyedEqualizedClassifier)[0]
    assert row["data"].endswith("template") and row["violated"]
    assert row["advantage, greatest"] > row["advantage_bound_"] + 0.1


def test_advantage_worked_by_hand():
    cell = np.array([0, 0, 0, 1, 0, 1, 1, 2])
    member = np.array([True] * 4 + [False] * 4)
    # members: 3/4 in cell 0, 1/4 in 1; others: 1/4, 1/2, 1/4. "Member" is said in cell 0
    assert bound.advantage(cell, member, cell, member) == pytest.approx(0.5)
    asked = np.array([0, 1, 1, 3])
    truth = np.array([True, True, False, False])
    assert bound.advantage(cell, member, asked, truth) == pytest.approx(0.5)


def test_the_committed_figures_keep_the_promise():
    """At most 5 % of 200 repetitions, for each of five models."""
    tables = json.loads(RESULT.read_text())["tables"]
    assert len(tables["violated"]) == len(bound.MODELS) * len(bound.SETTINGS) == 10
    for row in tables["violated"]:
        assert row["repetitions"] == 200 and row["violated"] <= 10
