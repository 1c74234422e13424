"""Models and records of other libraries with every tool: the cells of a study, at a small size."""

import re

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pandas")

from examples.studies.combinations import COMBINATIONS, TOOLS, Tools

NEEDED = {
    "LightGBM pipeline, pandas frame": ["lightgbm"],
    "XGBoost, early stopping, a rare class": ["xgboost"],
    "CatBoost, three classes, pandas frame": ["catboost"],
    "skorch CNN, torch tensors": ["skorch"],
    "pipeline, polars frame": ["polars", "pyarrow"],
    "boosting, Dask array": ["dask.array"],
}
EXPECTED = {
    "audit": r"\d\d\.\d %, 1\d of 14 attacks$",
    "LiRA": r"LiRA \d\d\.\d %$",
    "equalized": "labels kept$",
    "AEPPT": "labels kept$",
    "audit, command line": r"\d\d\.\d %$",
    "protect, command line": "labels kept$",
}
EXCEPTIONS = {
    ("table of confidences", "LiRA"): "not run: it needs the records, and only their confidences",
}


@pytest.fixture(scope="module", params=COMBINATIONS)
def combination(request):
    for library in [*NEEDED.get(request.param, []), "skops"]:
        pytest.importorskip(library)
    game = COMBINATIONS[request.param](60, np.random.default_rng(0))
    return request.param, Tools(game, 0, quick=True)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_combination(combination, tool):
    name, tools = combination
    cell = tools.cell(tool)
    assert re.search(EXCEPTIONS.get((name, tool), EXPECTED[tool]), cell), cell
