"""The example that serves a model over HTTP, asked and attacked through its socket."""

import importlib.util
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sklearn_aeppt import EqualizedClassifier

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # uvicorn's own imports


@pytest.fixture(scope="module")
def example():
    path = Path(__file__).resolve().parents[1] / "examples" / "serve_over_http.py"
    spec = importlib.util.spec_from_file_location("serve_over_http", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def protected(overfit):
    model, X, y, m = overfit
    return EqualizedClassifier(model, random_state=0).fit(X, y, is_member=m), model, X


def test_eight_clients_get_the_answers_of_the_process(example, protected, caplog):
    defended, model, X = protected
    plain, shown = model.predict_proba(X[:64]), defended.predict_proba(X[:64])
    with caplog.at_level(logging.DEBUG), example.Service(defended) as service:
        remote = example.RemoteModel(service.port)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: remote.ask(X[i : i + 1]), range(64)))
        bad = pytest.raises(ValueError, match="features")
        with bad:
            remote.ask(np.zeros((1, 3)))
    got = np.concatenate([a["proba"] for a in answers])
    np.testing.assert_allclose(got, shown, atol=1e-6)
    # nothing undefended in any response or log
    text = json.dumps(answers) + caplog.text
    assert set(answers[0]) == {"classes", "proba"}
    for row in plain:
        assert str(row.max()) not in text
    assert defended._key.hex() not in text and repr(defended._key) not in text


def test_load_is_measured(example, protected):
    defended, _, X = protected
    with example.Service(defended) as service:
        rate, median, late = example.load(example.RemoteModel(service.port), X, 2, 3)
    assert rate > 0 and 0 < median <= late


def test_the_example_serves_asks_and_attacks(example, capsys):
    example.main()
    shown = capsys.readouterr().out
    assert "undefended: The confidences leak" in shown and "equalized: " in shown
    assert shown.count("requests/s") == 2
