"""Models and records of other libraries: what each tool of this one makes of them."""

import io
import json
import tempfile
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tqdm.auto import tqdm

from examples.studies._data import key_from
from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier, PrecomputedClassifier
from sklearn_aeppt.__main__ import main
from sklearn_aeppt._files import load_model
from sklearn_aeppt.attacks import GapAttack, LiRAAttack, MIMAttack
from sklearn_aeppt.audit import audit

LIBRARIES = "catboost", "dask", "lightgbm", "pandas", "polars", "skorch", "xgboost-cpu"
CHANNELS = np.array(["branch", "phone", "web"])


@dataclass
class Game:
    """A fitted model, the records of both sides, and the files that the command line is given."""

    model: Any
    mem: tuple
    non: tuple
    ending: str  # of the files of records
    write: Any  # write(X, y, path)
    fit_params: Any = None  # what else the model was trained with


def run(scale="paper", seed=0):
    """Return one row for each combination and one column for each tool."""
    n = 500 if scale == "paper" else 100
    rows, left_out = [], []
    for name, make in tqdm(COMBINATIONS.items(), desc="combinations"):
        tools = Tools(make(n, np.random.default_rng(seed)), seed, quick=scale != "paper")
        rows.append({"model and records": name, **{tool: tools.cell(tool) for tool in TOOLS}})
        left_out += [{"model and records": name, **row} for row in tools.not_run]
    versions = [{"library": name, "version": version(name)} for name in LIBRARIES]
    return {
        "outcomes": rows,
        "attacks that an audit did not run": left_out,
        "libraries": versions,
    }


class Tools:
    """What the tools make of one game.

    Parameters
    ----------
    game : Game
    seed : int
    quick : bool
        Small substitutes, and the command line's quick suite.
    """

    def __init__(self, game, seed, *, quick):
        self.game, self.seed, self.quick = game, seed, quick
        self.sides = *game.mem, *game.non
        self.not_run = []

    def cell(self, tool):
        """Return the outcome of a tool in words; that of an error is its text."""
        torch.manual_seed(self.seed)  # networks of skorch have no seed of their own
        try:
            with warnings.catch_warnings():
                # of a defense on few records; nothing to do with the combination
                warnings.filterwarnings("ignore", "No step_size up to", UserWarning)
                return TOOLS[tool](self)
        except Exception as error:
            return f"{type(error).__name__}: {' '.join(str(error).split())}"

    def audit(self):
        """Return the strongest attack's accuracy, and how many attacks ran."""
        report = audit(self.game.model, *self.sides, "standard", random_state=self.seed)
        self.not_run += [row for row in report.results if "not_run" in row]
        return f"{shown(report.strongest)}, {len(report.ran)} of {len(report.results)} attacks"

    def lira(self):
        """Return LiRA's accuracy with a few shadow models, or why it is not run."""
        attacks = {"LiRA": LiRAAttack(n_shadow_models=4), "gap": GapAttack()}
        given = {"fit_params": self.game.fit_params, "random_state": self.seed}
        report = audit(self.game.model, *self.sides, attacks, **given)
        row = next(row for row in report.results if row["attack"] == "LiRA")
        return f"not run: {row['not_run']}" if "not_run" in row else shown(row)

    def equalized(self):
        """Return whether the equalized defense keeps the labels."""
        return self.protect(EqualizedClassifier)

    def aeppt(self):
        """Return whether AEPPT keeps the labels."""
        substitute = MIMAttack("substitute", max_epochs=3)
        few = {"step_size": 1e-3, "max_iter": 10, "substitute": substitute} if self.quick else {}
        return self.protect(AEPPTClassifier, **few)

    def protect(self, kind, **options):
        """Fit a defense on both sides, and compare its labels with the model's."""
        (X_mem, y_mem), (X_non, y_non) = self.game.mem, self.game.non
        key = key_from("combinations", self.seed)
        defense = kind(self.game.model, key=key, random_state=self.seed, **options)
        defense.fit(X_mem, X_non, y_mem=y_mem, y_non=y_non)
        return kept(self.game, defense)

    def audit_files(self):
        """Return what ``sklearn-aeppt audit`` says of the saved model and records."""
        suite = "quick" if self.quick else "standard"
        with tempfile.TemporaryDirectory() as folder:
            files = self.files(folder)
            if isinstance(self.game.model, PrecomputedClassifier):
                del files["--model"]
            said = command("audit", files, "--trust", "--attacks", suite, "--format", "json")
        return shown(json.loads(said)["strongest"])

    def protect_files(self):
        """Return whether what ``sklearn-aeppt protect`` saves keeps the labels."""
        with tempfile.TemporaryDirectory() as folder:
            out = str(Path(folder) / "defended.skops")
            command("protect", self.files(folder), "--trust", "--out", out)
            return kept(self.game, load_model(out, trust=True))

    def files(self, folder):
        """Write model and records; return the options that name them."""
        game, folder = self.game, Path(folder)
        members, others = (folder / f"{side}{game.ending}" for side in ("members", "others"))
        game.write(*game.mem, members)
        game.write(*game.non, others)
        model = folder / "model.joblib"
        joblib.dump(game.model, model)
        return {
            "--members": members,
            "--non-members": others,
            "--model": model,
            "--seed": self.seed,
        }


TOOLS = {
    "audit": Tools.audit,
    "LiRA": Tools.lira,
    "equalized": Tools.equalized,
    "AEPPT": Tools.aeppt,
    "audit, command line": Tools.audit_files,
    "protect, command line": Tools.protect_files,
}


def shown(row):
    """Return the accuracy of a row of a report, in words."""
    return f"{row['attack']} {100 * row['accuracy']:.1f} %"


def kept(game, defense):
    """Return whether a defense's labels are the model's, for all records of a game."""
    for X, _ in (game.mem, game.non):
        expected = np.ravel(game.model.predict(X))
        proba = defense.predict_proba(X)
        for said in (defense.predict(X), np.asarray(defense.classes_)[proba.argmax(axis=1)]):
            if not np.array_equal(said, expected):
                return f"{(said != expected).sum()} of {len(expected)} labels changed"
    return "labels kept"


def command(name, values, *options):
    """Run the command line; return what it prints, or raise what it says on failure."""
    out, errors = io.StringIO(), io.StringIO()
    named = [str(part) for pair in values.items() for part in pair]
    with redirect_stdout(out), redirect_stderr(errors):
        status = main([name, *named, *options])
    if status:
        said = errors.getvalue().strip().splitlines()
        raise RuntimeError(f"status {status}: {said[-1] if said else ''}")
    return out.getvalue()


def write_frame(X, y, path):
    """Write a frame of pandas or polars with its labels, as text or Parquet."""
    frame = (X.to_pandas() if hasattr(X, "to_pandas") else X).assign(label=y)
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)


def write_arrays(X, y, path):
    """Write arrays with their labels."""
    np.savez(path, X=np.asarray(X), y=y)


def halves(X, y):
    """Return (members, non-members) of records that are in a random order."""
    n = len(y) // 2
    return (X[:n], y[:n]), (X[n:], y[n:])


def customers(n, rng):
    """Return a frame of numbers, categories and missing values, and what it has to do with y."""
    import pandas as pd

    age, channel = rng.integers(18, 90, n), rng.integers(3, size=n)
    income = rng.lognormal(10, 0.5, n)
    frame = pd.DataFrame(
        {
            "age": age,
            "income": np.where(rng.random(n) < 0.1, np.nan, income),
            "channel": CHANNELS[channel],
            "region": pd.Categorical(rng.choice(list("NSEW"), n)),
            "active": rng.random(n) < 0.5,
        }
    )
    return frame, (age > 50).astype(int) + (channel == 2) + (rng.random(n) < 0.3)


def encoder():
    """Return an encoder of the customers' words, which hands on their numbers."""
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["channel", "region"]
    return make_column_transformer(words, remainder="passthrough")


def lightgbm_frame(n, rng):
    """LightGBM behind an encoder; labels are words."""
    from lightgbm import LGBMClassifier

    X, score = customers(2 * n, rng)
    y = np.where(score > 1, "yes", "no")
    boosting = LGBMClassifier(n_estimators=30, min_child_samples=5, n_jobs=1, verbose=-1)
    model = make_pipeline(encoder().set_output(transform="pandas"), boosting)
    mem, non = halves(X, y)
    return Game(model.fit(*mem), mem, non, ".csv", write_frame)


def xgboost_early_stopping(n, rng):
    """XGBoost with early stopping, on four classes of which one is rare."""
    from xgboost import XGBClassifier

    X = rng.normal(size=(3 * n, 8)).astype(np.float32)
    y = np.digitize(X[:, 0] + rng.normal(scale=0.5, size=3 * n), [-0.5, 0.5])
    y[rng.permutation(n)[:3]] = y[n + rng.permutation(n)[:2]] = 3
    mem, non, held_out = [(X[i : i + n], y[i : i + n]) for i in (0, n, 2 * n)]
    model = XGBClassifier(n_estimators=50, early_stopping_rounds=5, random_state=0, n_jobs=1)
    given = {"eval_set": [held_out], "verbose": False}
    return Game(model.fit(*mem, **given), mem, non, ".npz", write_arrays, given)


def catboost_three_classes(n, rng):
    """CatBoost, whose predictions of three classes are a column."""
    # cat_features as a tuple: scikit-learn's clone refuses one with a list
    from catboost import CatBoostClassifier

    X, score = customers(2 * n, rng)
    X["region"] = X["region"].astype(str)
    y = np.array(["low", "medium", "high"])[np.minimum(score, 2)]
    mem, non = halves(X, y)
    model = CatBoostClassifier(
        iterations=30, cat_features=("channel", "region"), random_seed=0, verbose=False,
        thread_count=1, allow_writing_files=False,
    )  # fmt: skip
    return Game(model.fit(*mem), mem, non, ".csv", write_frame)


def texts(n, rng):
    """A linear model of words, on lists of texts."""
    words = np.array([f"word{i}" for i in range(60)])
    y = rng.integers(2, size=2 * n)
    X = [" ".join(rng.choice(words[10 * label :][:50], 8)) for label in y]
    mem, non = halves(X, np.array(["ham", "spam"])[y])
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=100))

    def write(X, y, path):
        import pandas as pd

        pd.DataFrame({"text": X, "label": y}).to_csv(path, index=False)

    return Game(model.fit(*mem), mem, non, ".csv", write)


class SmallCNN(torch.nn.Sequential):
    """A network for images of 8 times 8 pixels in three classes."""

    def __init__(self):
        convolution, last = torch.nn.Conv2d(1, 8, 3), torch.nn.Linear(8 * 6 * 6, 3)
        super().__init__(convolution, torch.nn.ReLU(), torch.nn.Flatten(), last)


def skorch_images(n, rng):
    """A convolutional network of skorch, on tensors."""
    from skorch import NeuralNetClassifier

    y = rng.integers(3, size=2 * n)
    X = rng.random((2 * n, 1, 8, 8)).astype(np.float32)
    X[np.arange(2 * n), 0, y] += 0.3
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        SmallCNN, criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=0.01,
        max_epochs=15, train_split=None, verbose=0,
    )  # fmt: skip
    mem, non = halves(torch.tensor(X), y)
    return Game(net.fit(*mem), mem, non, ".npz", write_arrays)


def polars_frame(n, rng):
    """A frame of polars through a pipeline."""
    import polars as pl

    X, score = customers(2 * n, rng)
    X["income"] = X["income"].fillna(0)
    model = make_pipeline(encoder(), RandomForestClassifier(20, random_state=0))
    mem, non = halves(pl.from_pandas(X.astype({"region": str})), score > 1)
    return Game(model.fit(*mem), mem, non, ".parquet", write_frame)


def dask_array(n, rng):
    """An array of Dask, whose rows are computed when they are needed."""
    import dask.array as da

    X = rng.normal(size=(2 * n, 6))
    y = (X[:, 0] + rng.normal(size=2 * n) > 0).astype(int)
    mem, non = halves(da.from_array(X, chunks=(n // 2, 6)), y)
    return Game(HistGradientBoostingClassifier().fit(*mem), mem, non, ".npz", write_arrays)


def confidences(n, rng):
    """A table of confidences, the model out of reach."""
    import pandas as pd

    X = rng.normal(size=(2 * n, 6))
    y = CHANNELS[np.digitize(X[:, 0] + rng.normal(size=2 * n), [-0.6, 0.6])]
    forest = RandomForestClassifier(20, random_state=0).fit(X[:n], y[:n])
    table = pd.DataFrame(forest.predict_proba(X), columns=forest.classes_)
    mem, non = halves(table[["web", "branch", "phone"]], y)
    return Game(PrecomputedClassifier(forest.classes_), mem, non, ".csv", write_frame)


COMBINATIONS = {
    "LightGBM pipeline, pandas frame": lightgbm_frame,
    "XGBoost, early stopping, a rare class": xgboost_early_stopping,
    "CatBoost, three classes, pandas frame": catboost_three_classes,
    "TF-IDF pipeline, lists of text": texts,
    "skorch CNN, torch tensors": skorch_images,
    "pipeline, polars frame": polars_frame,
    "boosting, Dask array": dask_array,
    "table of confidences": confidences,
}
