"""CIFAR-100, in the layout of the public archive."""

import pickle
import tarfile

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from sklearn_aeppt.datasets._download import archive, data_folder

SOURCE = "https://www.cs.toronto.edu/~kriz/"
FILE = "cifar-100-python.tar.gz"
CHECKSUM = "md5:eb9058c3a382ffc7106e4002c42a8d85"
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
    subset="train",
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    n_retries=3,
    delay=1.0,
    base_url=SOURCE,
):
    """Load CIFAR-100 with its 100 fine classes.

    A folder ``sklearn_aeppt/cifar-100-python`` in `data_home` with the unpacked files ``train``,
    ``test`` and ``meta`` is taken as it is; else the archive is downloaded and read, not unpacked.
    Its pickles are read by a loader that knows arrays and plain values only, and runs nothing.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 50,000 images for training, the 10,000 for testing, or one after the other.
    data_home, download_if_missing, return_X_y, n_retries, delay, base_url
        As in `fetch_purchase100`.

    Returns
    -------
    data : Bunch
        ``data`` (n, 3072) uint8, pixel by pixel, row by row, red, green and blue together;
        ``images``, the same as (n, 32, 32, 3); ``target`` (n,) int64; ``target_names`` (100,),
        ``DESCR``; or ``(data, target)``.

    Raises
    ------
    OSError
        If the files are neither there nor to be had.
    ValueError
        If they are not the published ones.

    References
    ----------
    Krizhevsky (2009), "Learning multiple layers of features from tiny images".

    Examples
    --------
    >>> from sklearn_aeppt.datasets import fetch_cifar100
    >>> X, y = fetch_cifar100(subset="test", return_X_y=True)  # doctest: +SKIP
    """
    folder = data_folder(data_home)
    options = {"n_retries": n_retries, "delay": delay}
    unpacked = folder / FOLDER
    parts = ["train", "test"] if subset == "all" else [subset]
    if all((unpacked / name).exists() for name in [*parts, "meta"]):
        read = {name: _load(unpacked / name) for name in [*parts, "meta"]}
    else:
        path = archive(
            base_url + FILE, CHECKSUM, folder, download_if_missing=download_if_missing, **options
        )
        with tarfile.open(path) as tar:
            read = {
                name: _Plain(tar.extractfile(f"{FOLDER}/{name}"), encoding="bytes").load()
                for name in [*parts, "meta"]
            }
    planes = np.concatenate([read[name][b"data"] for name in parts])
    images = np.ascontiguousarray(planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    X = images.reshape(len(images), -1)
    y = np.concatenate([read[name][b"fine_labels"] for name in parts]).astype(np.int64)
    if return_X_y:
        return X, y
    names = np.array([name.decode() for name in read["meta"][b"fine_label_names"]])
    return Bunch(data=X, images=images, target=y, target_names=names, DESCR=ABOUT)


def _load(path):
    with path.open("rb") as file:
        return _Plain(file, encoding="bytes").load()


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
            raise ValueError(
                f"The file asks to load {module}.{name}, which CIFAR-100 has no need of: it is "
                "not the published one. Delete it and fetch again."
            )
        return super().find_class(module, name)
