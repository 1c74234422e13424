"""CIFAR-100, in the layout of the public archive."""

from __future__ import annotations

import pickle
import warnings
from functools import partial
from os import PathLike

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from sklearn_aeppt.datasets._download import archive, clear_errors, data_folder, read_members

SOURCE = "https://www.cs.toronto.edu/~kriz/"
FILE = "cifar-100-python.tar.gz"
CHECKSUM = "md5:eb9058c3a382ffc7106e4002c42a8d85"
MAX_BYTES = 169_001_437
MAX_UNPACKED = 200 << 20
N_CLASSES = 100
FOLDER = "cifar-100-python"
ABOUT = (
    "60,000 color images of 32 x 32 pixels in 100 classes, 50,000 for training and 10,000 for "
    "testing (Krizhevsky 2009). A few images occur more than once."
)


@validate_params(
    {
        "subset": [StrOptions({"train", "test", "all"})],
        "data_home": "no_validation",
        "download_if_missing": ["boolean"],
        "return_X_y": ["boolean"],
        "n_retries": "no_validation",
        "delay": "no_validation",
        "base_url": [str],
    },
    prefer_skip_nested_validation=True,
)
def fetch_cifar100(
    *,
    subset: str = "train",
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    base_url: str = SOURCE,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load CIFAR-100 with its 100 fine classes.

    A folder ``sklearn_aeppt/cifar-100-python`` in `data_home` with the unpacked files ``train``,
    ``test`` and ``meta`` is taken as it is; else the archive is downloaded and read, not unpacked.
    Its pickles are read by a loader that knows arrays and plain values only, and runs nothing.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 50,000 images for training, the 10,000 for testing, or one after the other.
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
    base_url : str, default=the author's page
        Where the archive is: the URL of a mirror, with a slash at the end.

    Returns
    -------
    data : Bunch, or tuple of two ndarrays with `return_X_y`
        ``data`` (n, 3072) uint8, pixel by pixel, row by row, red, green and blue together;
        ``images``, the same as (n, 32, 32, 3); ``target`` (n,) int64 from 0; ``target_names``
        (100,) the names of the classes, ``DESCR`` a description; or ``(data, target)``.

    Raises
    ------
    OSError
        If the files are missing and must not be downloaded, or cannot be.
    ValueError
        If they are not the published ones, which have 169,001,437 bytes as an archive.
    ImportError
        If pooch is needed, to download or to check the archive, and not installed.

    Warns
    -----
    UserWarning
        If an unpacked file is damaged: it is named, and the archive taken, or downloaded, instead.

    See Also
    --------
    fetch_purchase100 : Baskets of customers, a table of bits.
    fetch_location30 : Places where people checked in, the smallest of the data sets.

    References
    ----------
    Krizhevsky (2009), "Learning multiple layers of features from tiny images".

    Examples
    --------
    >>> from sklearn_aeppt.datasets import fetch_cifar100
    >>> X, y = fetch_cifar100(subset="test", return_X_y=True)  # doctest: +SKIP
    """
    folder = data_folder(data_home)
    parts = ["train", "test"] if subset == "all" else [subset]
    wanted = [*parts, "meta"]
    read = _from_folder(folder / FOLDER, wanted)
    if read is None:
        path = archive(
            base_url + FILE, CHECKSUM, folder, max_bytes=MAX_BYTES,
            download_if_missing=download_if_missing, n_retries=n_retries, delay=delay,
        )  # fmt: skip
        readers = {f"{FOLDER}/{name}": partial(_read, name) for name in wanted}
        found = read_members(path, readers, MAX_UNPACKED)
        read = {name: found[f"{FOLDER}/{name}"] for name in wanted}
    planes = np.concatenate([read[name][0] for name in parts])
    images = np.ascontiguousarray(planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    X = images.reshape(len(images), -1)
    y = np.concatenate([read[name][1] for name in parts])
    if return_X_y:
        return X, y
    return Bunch(data=X, images=images, target=y, target_names=read["meta"], DESCR=ABOUT)


def _from_folder(folder, wanted):
    """Return name -> contents of unpacked files; None where one is missing or cut off."""
    if not all((folder / name).exists() for name in wanted):
        return None
    read = {}
    for name in wanted:
        try:
            with clear_errors(folder / name), (folder / name).open("rb") as file:
                read[name] = _read(name, file)
        except ValueError as error:
            if isinstance(error.__cause__, _ForeignError):
                raise  # nobody cuts a file off so
            warnings.warn(f"{error} The archive is used instead.", stacklevel=3)
            return None
    return read


def _read(name, file):
    """Return (planes, labels) of a file of images, or the names of the classes from "meta"."""
    held = _Plain(file, encoding="bytes").load()
    if not isinstance(held, dict):
        raise ValueError(f"{name} does not hold a dict")
    if name == "meta":
        names = np.array([bytes(one).decode() for one in held[b"fine_label_names"]])
        if names.shape != (N_CLASSES,):
            raise ValueError(f"{name} names {len(names)} classes instead of {N_CLASSES}")
        return names
    planes, labels = held[b"data"], np.asarray(held[b"fine_labels"])
    if not isinstance(planes, np.ndarray) or planes.dtype != np.uint8:
        raise ValueError(f"{name} holds images that are not of type uint8")
    if planes.shape != (len(labels), 3072) or labels.shape != (len(labels),) or not len(labels):
        raise ValueError(
            f"{name} holds images of shape {planes.shape} and labels of shape {labels.shape}"
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= N_CLASSES:
        raise ValueError(f"{name} holds labels that are not integers from 0 to {N_CLASSES - 1}")
    return planes, labels.astype(np.int64)


class _ForeignError(ValueError):
    """A pickle that asks for code which CIFAR-100 has no need of."""


class _Plain(pickle.Unpickler):
    """Unpickler of arrays and plain values; nothing else is called."""

    allowed = {
        (module, name)
        for root in ("numpy.core", "numpy._core")
        for module, name in (
            (f"{root}.multiarray", "_reconstruct"),
            (f"{root}.multiarray", "scalar"),
            (f"{root}.numeric", "_frombuffer"),
        )
    } | {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}

    def find_class(self, module, name):
        if (module, name) not in self.allowed:
            raise _ForeignError(f"it asks to load {module}.{name}, which CIFAR-100 has no need of")
        return super().find_class(module, name)
