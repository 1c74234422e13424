"""A published archive on the disk: downloaded once, resumed where cut off, checked."""

import time
from pathlib import Path
from shutil import copyfileobj

from sklearn.datasets import get_data_home
from tqdm.auto import tqdm

CHUNK = 1 << 16
TIMEOUT = 30  # seconds without a byte


def data_folder(data_home):
    """Return the folder of this library's data, made if need be."""
    folder = Path(get_data_home(data_home)) / "sklearn_aeppt"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def archive(url, checksum, folder, *, download_if_missing, n_retries, delay):
    """Return the path of the archive in `folder`, downloaded if it is not there.

    Parameters
    ----------
    url : str
    checksum : str or None
        "sha256:..." or "md5:...".
    folder : Path
    download_if_missing : bool
    n_retries : int
        Times to go on after a connection was cut off.
    delay : float
        Seconds before going on, as scikit-learn's fetchers name it.

    Raises
    ------
    OSError
        If the file is missing and must not be, or cannot be, downloaded.
    ValueError
        If what was downloaded is not the published file.
    """
    path = folder / url.rsplit("/", 1)[1]
    by_hand = f"With another machine, fetch {url} and put it at {path}."
    if not path.exists() and not download_if_missing:
        raise OSError(
            f"{path} is missing and download_if_missing=False: allow the download. {by_hand}"
        )
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            "Data sets are fetched with pooch: pip install sklearn-aeppt[datasets]."
        ) from error
    import requests

    part = path.with_name(path.name + ".part")
    download = _Resumed(part, n_retries, delay)
    try:
        pooch.retrieve(url, checksum, path.name, folder, downloader=download)
    except ValueError as error:  # pooch: the hash differs
        part.unlink(missing_ok=True)
        raise ValueError(
            f"{path.name} is not the published file: its checksum is not {checksum}. If it lies "
            f"at {path}, delete it; else try again, or from another network."
        ) from error
    except requests.RequestException as error:
        raise OSError(
            f"Could not download {url} ({type(error).__name__}). What has come is kept: call "
            f"again to go on from there. {by_hand}"
        ) from error
    part.unlink(missing_ok=True)
    return path


class _Resumed:
    """Downloader for pooch that keeps what has come and asks for the rest only."""

    def __init__(self, part, n_retries, delay):
        self.part = part
        self.n_retries = n_retries
        self.delay = delay

    def __call__(self, url, output_file, pooch):
        """Write what is at `url` to `output_file`."""
        import requests

        for attempt in range(self.n_retries + 1):
            try:
                self._go_on(url)
                break
            except requests.RequestException:
                if attempt == self.n_retries:
                    raise
                time.sleep(self.delay)
        with self.part.open("rb") as source, open(output_file, "wb") as target:
            copyfileobj(source, target)

    def _go_on(self, url):
        import requests

        part = self.part
        have = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                return  # nothing is left to come; the checksum will tell
            answer.raise_for_status()
            if answer.status_code != requests.codes.partial_content:
                have = 0  # a server without ranges sends all of it again
            rest = int(answer.headers.get("Content-Length", 0))
            options = {"initial": have, "total": have + rest or None, "unit": "B"}
            with (
                part.open("ab" if have else "wb") as file,
                tqdm(desc=part.stem, unit_scale=True, **options) as bar,
            ):
                for chunk in answer.iter_content(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
            if rest and part.stat().st_size < have + rest:
                raise requests.ConnectionError(f"{url} broke off")
