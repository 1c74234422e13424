"""Overfit networks on real or made-up records, for the experiments."""

import hashlib
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from tqdm.auto import tqdm

from sklearn_aeppt._records import number_records
from sklearn_aeppt.paper._targets import open_arrays


def key_from(*parts):
    """Return 32 bytes that follow from a seed and the like: figures that anyone can make again.

    For experiments only: whoever knows such a key can undo the defense.
    """
    return hashlib.sha256(repr(parts).encode()).digest()


def made_up(rng, n):
    """Return n sparse binary records in 10 classes whose labels are half noise."""
    X = (rng.random((n, 60)) < 0.15).astype(np.float32)
    y = np.where(rng.random(n) < 0.5, X[:, :60].reshape(n, 10, 6).sum(2).argmax(1), 0)
    return X, np.where(rng.random(n) < 0.3, rng.integers(10, size=n), y)


def short_texts(rng, n_each, n_classes=150, n_words=600, n_own=12):
    """Return short texts as bits, a word a column, and their classes, one after the other.

    A text has about eight words, half of them of its class's twelve own ones; few words are
    frequent, as in a language.
    """
    frequency = 1 / np.arange(1, n_words + 1) ** 1.2
    of_class = 1 / np.arange(1, n_own + 1) ** 0.7
    own = [20 + rng.permutation(n_words - 20)[:n_own] for _ in range(n_classes)]
    y = np.tile(np.arange(n_classes), n_each)
    X = np.zeros((len(y), n_words), dtype=np.float32)
    for text, c in zip(X, y):
        k = min(n_own, 1 + rng.poisson(2.8))
        text[rng.choice(own[c], k, replace=False, p=of_class / of_class.sum())] = 1
        k = rng.poisson(4)
        text[rng.choice(n_words, k, replace=False, p=frequency / frequency.sum())] = 1
    return X, y


def tables(folder):
    """Return name -> (X, y) of the bit tables in a folder.

    Each ``.npz`` holds ``X_packed`` (rows of ``numpy.packbits``), ``n_features``, ``y`` and
    maybe ``first``, which marks the first of equal rows: only these are taken.
    """
    found = {}
    for file in sorted(Path(folder).glob("*.npz")):
        with open_arrays(file) as z:
            if "X_packed" not in z:
                continue
            packed, width, y = z["X_packed"], int(z["n_features"]), z["y"]
            if packed.ndim != 2 or packed.shape[1] != -(-width // 8) or y.shape != (len(packed),):
                raise ValueError(
                    f"bits of shape {packed.shape} and labels of shape {y.shape} are no table of "
                    f"{width} features"
                )
            X = np.unpackbits(packed, axis=1, count=width)
            rows = z["first"] if "first" in z else slice(None)
            found[file.stem] = X[rows].astype(np.float32), y[rows]
    if not found:
        raise ValueError(f"data={folder}: no .npz with X_packed, n_features and y in there.")
    return found


def images(folder):
    """Return (X, y) of the CIFAR-100 training images in a folder, pixels in [0, 1]; None without.

    ``cifar100_train.npz`` holds them as differences along rows and columns, the red and the blue
    plane less the green one. Of equal images only the first is taken.
    """
    file = Path(folder) / "cifar100_train.npz"
    if not file.exists():
        return None
    with open_arrays(file) as z:
        if z["delta"].shape != (len(z["y"]), 3, 32, 32):
            raise ValueError(f"{z['delta'].shape} is no shape of images for {len(z['y'])} labels")
        planes = z["delta"].cumsum(2, dtype=np.uint8).cumsum(3, dtype=np.uint8)
        y = z["y"]
    planes[:, ::2] += planes[:, 1:2]
    X = planes.transpose(0, 2, 3, 1).reshape(len(y), -1)
    first = np.unique(number_records(X), return_index=True)[1]
    return X[first], y[first]


class OverfitNetwork(MLPClassifier):
    """A dense network that is trained without a warning that it has not converged."""

    def fit(self, X, y):
        """Train; overfit is what is wanted."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return super().fit(X, y)


def overfit_network(seed):
    """Return an unfitted network of 128 units."""
    return OverfitNetwork((128,), alpha=0, max_iter=100, random_state=seed)


def games(scale, seed, data, n_seeds=3, n_max=5000):
    """Yield (name, seed, model, X, y, is_member) of one overfit network per data set and seed.

    At most `n_max` members, and as many others.
    """
    sets = {} if data is None else tables(data)
    for s in tqdm(range(seed, seed + (n_seeds if scale == "paper" else 1)), desc="seeds"):
        rng = np.random.default_rng(s)
        pools = sets or {"made-up": made_up(rng, 4000 if scale == "paper" else 400)}
        for name, (X, y) in pools.items():
            n = min(len(X) // 2, 2500 if len(X) < 10_000 else n_max)
            rows = rng.permutation(len(X))[: 2 * n if scale == "paper" else 400]
            X, y, is_member = X[rows], y[rows], np.arange(len(rows)) < len(rows) // 2
            model = overfit_network(s).fit(X[is_member], y[is_member])
            kept = np.isin(y, model.classes_)
            yield name, s, model, X[kept], y[kept], is_member[kept]
