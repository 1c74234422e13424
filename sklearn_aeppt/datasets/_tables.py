"""The binary tables of Shokri et al. (2017): Purchase-100, Texas-100, Location."""

import tarfile
from dataclasses import dataclass

import numpy as np
from sklearn.utils import Bunch

from sklearn_aeppt.datasets._download import archive, data_folder

# one commit of the authors' repository, so that the files cannot change
SOURCE = "https://github.com/privacytrustlab/datasets/raw/169de9de00de049dd2e571cf7279e64698ac046a/"


@dataclass(frozen=True)
class Table:
    """A published table: where it lies and what must be in it."""

    name: str
    file: str
    checksum: str | None
    features: str  # file in the archive; the label stands first unless `labels` names another
    labels: str | None
    shape: tuple
    n_classes: int
    about: str


# No checksum of the first two is published: the commit in the URL and the shape stand for it.
PURCHASE = Table(
    "purchase100", "dataset_purchase.tgz", None, "dataset_purchase", None, (197_324, 600), 100,
    "Purchases of 600 products by 197,324 customers (Kaggle's Acquire Valued Shoppers, simplified "
    "by Shokri et al. 2017), clustered by k-means into 100 classes.",
)  # fmt: skip
TEXAS = Table(
    "texas100", "dataset_texas.tgz", None, "texas/100/feats", "texas/100/labels", (67_330, 6_169),
    100,
    "Hospital stays in Texas (simplified by Shokri et al. 2017): 6,169 binary features of 67,330 "
    "patients, and which of the 100 most frequent procedures each had.",
)  # fmt: skip
LOCATION = Table(
    "location30", "dataset_location.tgz",
    "sha256:927203f85a868f8ee17a0ded1dc61699efe602167beabe34fbf45b4b1de94b33",
    "bangkok", None, (5_010, 446), 30,
    "Foursquare check-ins in Bangkok (simplified by Shokri et al. 2017): 446 places and kinds of "
    "places, visited or not by 5,010 people, clustered into 30 classes.",
)  # fmt: skip


def _fetch(table, data_home, download_if_missing, return_X_y, n_retries, delay, base_url):
    folder = data_folder(data_home)
    cache = folder / f"{table.name}.npz"
    if cache.exists():
        with np.load(cache) as z:
            X = np.unpackbits(z["X_packed"], axis=1, count=table.shape[1])
            y = z["y"].astype(np.int64)
    else:
        path = archive(
            base_url + table.file, table.checksum, folder,
            download_if_missing=download_if_missing, n_retries=n_retries, delay=delay,
        )  # fmt: skip
        X, y = _read(table, path)
        np.savez_compressed(cache, X_packed=np.packbits(X, axis=1), y=y.astype(np.uint8))
    if return_X_y:
        return X, y
    return Bunch(data=X, target=y, target_names=np.arange(table.n_classes), DESCR=table.about)


def _read(table, path):
    """Return (X, y) of the archive; only the files that are asked for are read, none unpacked."""
    with tarfile.open(path) as tar:
        X = _numbers(tar, table.features)
        if table.labels is None:
            y, X = X[:, 0], X[:, 1:]
        else:
            y = _numbers(tar, table.labels)[:, 0]
    classes = np.unique(y)
    if X.shape != table.shape or len(y) != len(X) or X.max() > 1 or len(classes) != table.n_classes:
        raise ValueError(
            f"{path} holds {X.shape[0]} records of {X.shape[1]} features in {len(classes)} classes "
            f"and not {table.shape[0]} of {table.shape[1]} in {table.n_classes}: it is not the "
            "published file. Delete it and fetch again."
        )
    return np.ascontiguousarray(X), np.searchsorted(classes, y)


def _numbers(tar, name):
    with tar.extractfile(name) as lines:
        return np.loadtxt(lines, dtype=np.uint8, delimiter=",", quotechar='"', ndmin=2)


def fetch_purchase100(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    n_retries=3,
    delay=1.0,
    base_url=SOURCE,
):
    """Load Purchase-100: what 197,324 customers bought, in 100 classes.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder of scikit-learn's data sets; None as `sklearn.datasets.get_data_home` says.
    download_if_missing : bool, default=True
        Whether to download what is not in `data_home`.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    n_retries : int, default=3
        Times to go on when the connection is cut off; what has come is kept, also between calls.
    delay : float, default=1.0
        Seconds before going on.
    base_url : str, default=the authors' repository
        Where the archive lies; a mirror, with a slash at the end.

    Returns
    -------
    data : Bunch
        ``data`` (197324, 600) uint8 of 0 and 1, ``target`` (197324,) int64 from 0,
        ``target_names``, ``DESCR``; or ``(data, target)``.

    Raises
    ------
    OSError
        If the file is neither there nor to be had.
    ValueError
        If it is not the published file. No checksum of this one is published: the URL names a
        commit, and the number of records, features and classes is checked.

    References
    ----------
    Shokri et al. (2017), "Membership inference attacks against machine learning models".

    Examples
    --------
    >>> from sklearn_aeppt.datasets import fetch_purchase100
    >>> X, y = fetch_purchase100(return_X_y=True)  # doctest: +SKIP
    """
    return _fetch(PURCHASE, data_home, download_if_missing, return_X_y, n_retries, delay, base_url)


def fetch_texas100(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    n_retries=3,
    delay=1.0,
    base_url=SOURCE,
):
    """Load Texas-100: 67,330 hospital stays, in 100 classes.

    Parameters and errors are those of `fetch_purchase100`.

    Returns
    -------
    data : Bunch
        ``data`` (67330, 6169) uint8 of 0 and 1, ``target`` (67330,) int64 from 0,
        ``target_names``, ``DESCR``; or ``(data, target)``.

    References
    ----------
    Shokri et al. (2017), "Membership inference attacks against machine learning models".

    Examples
    --------
    >>> from sklearn_aeppt.datasets import fetch_texas100
    >>> X, y = fetch_texas100(return_X_y=True)  # doctest: +SKIP
    """
    return _fetch(TEXAS, data_home, download_if_missing, return_X_y, n_retries, delay, base_url)


def fetch_location30(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    n_retries=3,
    delay=1.0,
    base_url=SOURCE,
):
    """Load Location: where 5,010 people checked in, in 30 classes.

    Parameters and errors are those of `fetch_purchase100`; the archive has a checksum.

    Returns
    -------
    data : Bunch
        ``data`` (5010, 446) uint8 of 0 and 1, ``target`` (5010,) int64 from 0, ``target_names``,
        ``DESCR``; or ``(data, target)``.

    References
    ----------
    Shokri et al. (2017), "Membership inference attacks against machine learning models".

    Examples
    --------
    >>> from sklearn_aeppt.datasets import fetch_location30
    >>> X, y = fetch_location30(return_X_y=True)  # doctest: +SKIP
    """
    return _fetch(LOCATION, data_home, download_if_missing, return_X_y, n_retries, delay, base_url)
