"""The binary tables of Shokri et al. (2017): Purchase-100, Texas-100, Location."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from os import PathLike

import numpy as np
from sklearn.utils import Bunch

from sklearn_aeppt._saving import read_arrays, writing
from sklearn_aeppt.datasets._download import archive, data_folder, read_members

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
    max_bytes: int = 100 << 20  # of the archive: no file of a GitHub repository has more

    @property
    def max_unpacked(self):
        """Bytes that the archive may have when unpacked: twice its values, each in quotes."""
        return 8 * self.shape[0] * (self.shape[1] + 8) + (1 << 20)

    def numbers(self, file):
        """Return the values of a file of the archive, lines of numbers from 0 to 255."""
        lines = self._lines(file, longest=6 * (self.shape[1] + 8))
        return np.loadtxt(lines, dtype=np.uint8, delimiter=",", quotechar='"', ndmin=2)

    def _lines(self, file, longest):
        full = False
        for i, line in enumerate(iter(partial(file.readline, longest + 1), b"")):
            if len(line) > longest:
                raise ValueError(f"it has a line of more than {longest} bytes")
            if i > 2 * self.shape[0]:
                raise ValueError(f"it has more lines than {self.shape[0]} records need")
            full = full or not line.isspace()
            yield line
        if not full:
            raise ValueError("it holds an empty table")


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
    read = _from_cache(table, cache) if cache.exists() else None
    if read is None:
        options = {
            "max_bytes": table.max_bytes, "download_if_missing": download_if_missing,
            "n_retries": n_retries, "delay": delay,
        }  # fmt: skip
        read = _from_archive(table, base_url + table.file, folder, options)
        with writing(cache) as file:
            np.savez_compressed(file, X_packed=np.packbits(read[0], axis=1), y=read[1])
    X, y = read[0], read[1].astype(np.int64)
    if return_X_y:
        return X, y
    return Bunch(data=X, target=y, target_names=np.arange(table.n_classes), DESCR=table.about)


def _from_cache(table, cache):
    """Return (X, y) of the file that an earlier call left; None of a damaged one."""
    n, width = table.shape
    fits = {
        "X_packed": lambda shape, dtype: dtype == np.uint8 and shape == (n, -(-width // 8)),
        "y": lambda shape, dtype: dtype == np.uint8 and shape == (n,),
    }
    try:
        arrays = read_arrays(cache, fits)
        if arrays["y"].max() >= table.n_classes:
            raise ValueError(f"{cache} holds classes beyond {table.n_classes - 1}.")
    except ValueError as error:
        warnings.warn(f"{error} It is rebuilt from the archive.", stacklevel=4)
        return None
    return np.unpackbits(arrays["X_packed"], axis=1, count=width), arrays["y"]


def _from_archive(table, url, folder, options):
    """Return (X, y) of the archive, fetched, or fetched again if what lies there is damaged."""
    lay_there = (folder / table.file).exists()
    path = archive(url, table.checksum, folder, **options)
    try:
        return _read(table, path)
    except ValueError as error:
        if not (lay_there and options["download_if_missing"]):
            raise
        warnings.warn(f"{error} It is downloaded again.", stacklevel=4)
    return _read(table, archive(url, table.checksum, folder, anew=True, **options))


def _read(table, path):
    """Return (X, y) of the archive; only the files that are asked for are read, none unpacked."""
    names = [table.features] if table.labels is None else [table.features, table.labels]
    read = read_members(path, dict.fromkeys(names, table.numbers), table.max_unpacked)
    X = read[table.features]
    y = read[table.labels][:, 0] if table.labels is not None else X[:, 0]
    X = X if table.labels is not None else X[:, 1:]
    classes = np.unique(y)
    right = X.shape == table.shape and len(y) == len(X) and len(classes) == table.n_classes
    if not right or X.max() > 1:
        raise ValueError(
            f"{path} holds {X.shape[0]} records of {X.shape[1]} features in {len(classes)} classes "
            f"and not {table.shape[0]} of {table.shape[1]} in {table.n_classes}: it is not the "
            "published file. Delete it and download it again."
        )
    return np.ascontiguousarray(X), np.searchsorted(classes, y).astype(np.uint8)


def fetch_purchase100(
    *,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    base_url: str = SOURCE,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load Purchase-100: what 197,324 customers bought, in 100 classes.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder of scikit-learn's data sets; None takes that of `sklearn.datasets.get_data_home`.
    download_if_missing : bool, default=True
        Whether to download what is not in `data_home`.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.
    n_retries : int, default=3
        Number of times that an interrupted download is resumed. What has arrived is kept, also
        between calls.
    delay : float, default=1.0
        Seconds to wait before each of them.
    base_url : str, default=the authors' repository
        Where the archive is: the URL of a mirror, with a slash at the end.

    Returns
    -------
    data : Bunch, or tuple of two ndarrays with `return_X_y`
        ``data`` (197324, 600) uint8 of 0 and 1, ``target`` (197324,) int64 from 0,
        ``target_names`` (100,) the classes, ``DESCR`` a description; or ``(data, target)``.

    Raises
    ------
    OSError
        If the file is missing and must not be downloaded, or cannot be.
    ValueError
        If it is not the published file. No checksum of this one is published: the URL names a
        commit, and the number of records, features and classes is checked. More than 100 MiB are
        refused, the most that its repository takes.
    ImportError
        If pooch is needed, to download or to check the archive, and not installed.

    Warns
    -----
    UserWarning
        If a file of an earlier call is damaged: it is named, and made or downloaded again.

    See Also
    --------
    make_purchase : Generated baskets of the same kind.
    purchase_classes : The recipe of its classes.
    fetch_texas100 : Hospital stays.
    fetch_location30 : Places where people checked in.

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
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    base_url: str = SOURCE,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load Texas-100: 67,330 hospital stays, in 100 classes.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder of scikit-learn's data sets; None takes that of `sklearn.datasets.get_data_home`.
    download_if_missing : bool, default=True
        Whether to download what is not in `data_home`.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.
    n_retries : int, default=3
        Number of times that an interrupted download is resumed. What has arrived is kept, also
        between calls.
    delay : float, default=1.0
        Seconds to wait before each of them.
    base_url : str, default=the authors' repository
        Where the archive is: the URL of a mirror, with a slash at the end.

    Returns
    -------
    data : Bunch, or tuple of two ndarrays with `return_X_y`
        ``data`` (67330, 6169) uint8 of 0 and 1, ``target`` (67330,) int64 from 0,
        ``target_names`` (100,) the classes, ``DESCR`` a description; or ``(data, target)``.

    Raises
    ------
    OSError
        If the file is missing and must not be downloaded, or cannot be.
    ValueError
        If it is not the published file. No checksum of this one is published: the URL names a
        commit, and the number of records, features and classes is checked. More than 100 MiB are
        refused, the most that its repository takes.
    ImportError
        If pooch is needed, to download or to check the archive, and not installed.

    Warns
    -----
    UserWarning
        If a file of an earlier call is damaged: it is named, and made or downloaded again.

    See Also
    --------
    fetch_purchase100 : Baskets of customers.
    fetch_location30 : Places where people checked in.

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
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    base_url: str = SOURCE,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load Location: where 5,010 people checked in, in 30 classes.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder of scikit-learn's data sets; None takes that of `sklearn.datasets.get_data_home`.
    download_if_missing : bool, default=True
        Whether to download what is not in `data_home`.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.
    n_retries : int, default=3
        Number of times that an interrupted download is resumed. What has arrived is kept, also
        between calls.
    delay : float, default=1.0
        Seconds to wait before each of them.
    base_url : str, default=the authors' repository
        Where the archive is: the URL of a mirror, with a slash at the end.

    Returns
    -------
    data : Bunch, or tuple of two ndarrays with `return_X_y`
        ``data`` (5010, 446) uint8 of 0 and 1, ``target`` (5010,) int64 from 0,
        ``target_names`` (30,) the classes, ``DESCR`` a description; or ``(data, target)``.

    Raises
    ------
    OSError
        If the file is missing and must not be downloaded, or cannot be.
    ValueError
        If it is not the published file, which has a checksum.
    ImportError
        If pooch is needed, to download or to check the archive, and not installed.

    Warns
    -----
    UserWarning
        If a file of an earlier call is damaged: it is named, and made or downloaded again.

    See Also
    --------
    fetch_purchase100 : Baskets of customers.
    fetch_texas100 : Hospital stays.

    References
    ----------
    Shokri et al. (2017), "Membership inference attacks against machine learning models".

    Examples
    --------
    >>> from sklearn_aeppt.datasets import fetch_location30
    >>> X, y = fetch_location30(return_X_y=True)  # doctest: +SKIP
    """
    return _fetch(LOCATION, data_home, download_if_missing, return_X_y, n_retries, delay, base_url)
