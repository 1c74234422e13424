"""A published archive on the disk: downloaded once, resumed where cut off, checked, read safely."""

import gzip
import json
import os
import re
import tarfile
import time
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from sklearn.datasets import get_data_home
from tqdm.auto import tqdm

from sklearn_aeppt._saving import write_text

CHUNK = 1 << 16
TIMEOUT = 30  # seconds without a byte


def data_folder(data_home):
    """Return the folder of this library's data, made if need be."""
    folder = Path(get_data_home(data_home)) / "sklearn_aeppt"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def archive(url, checksum, folder, *, max_bytes, download_if_missing, n_retries, delay, anew=False):
    """Return the path of the archive in `folder`, downloaded if it is not there.

    Parameters
    ----------
    url : str
    checksum : str or None
        "sha256:..." or "md5:...".
    folder : Path
    max_bytes : int
        The published file has no more; nothing greater is taken.
    download_if_missing : bool
    n_retries : int
        Times to go on after a connection was cut off.
    delay : float
        Seconds before going on, as scikit-learn's fetchers name it.
    anew : bool, default=False
        Whether to download also what is there; it is replaced once the new file is whole.

    Raises
    ------
    OSError
        If the file is missing and must not be, or cannot be, downloaded.
    ValueError
        If what was downloaded is not the published file.
    """
    path = folder / url.rsplit("/", 1)[1]
    by_hand = f"Alternatively, download {url} on another machine and put it at {path}."
    if path.exists() and not anew and _is_published(path, checksum):
        return path
    if not download_if_missing:
        if path.exists():
            raise ValueError(
                f"{path} is not the published file, or is incomplete: its checksum is not "
                f"{checksum}. Allow the download, which replaces it. {by_hand}"
            )
        raise OSError(
            f"{path} is missing and download_if_missing=False: allow the download. {by_hand}"
        )
    part = _Part(path, url, max_bytes)
    _download(part, n_retries, delay, by_hand)
    if not _is_published(part.file, checksum):
        part.forget()
        raise ValueError(
            f"{path.name} is not the published file: its checksum is not {checksum}. Try again, "
            "or try from another network."
        )
    part.file.replace(path)
    part.forget()
    return path


def _is_published(path, checksum):
    if checksum is None:
        return True
    kind, expected = checksum.split(":")
    return _pooch().file_hash(path, alg=kind) == expected


def _pooch():
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            "Data sets are fetched with pooch: pip install sklearn-aeppt[datasets]."
        ) from error
    return pooch


def _download(part, n_retries, delay, by_hand):
    _pooch()  # which brings requests
    import requests

    for attempt in range(n_retries + 1):
        try:
            return part.go_on()
        except requests.RequestException as error:
            if attempt == n_retries:
                raise OSError(
                    f"Could not download {part.url} ({type(error).__name__}). What was "
                    f"downloaded is kept: call again to resume. {by_hand}"
                ) from error
            time.sleep(delay)


class _Part:
    """What has come of a file, and a note of which version of it, so that two are never mixed."""

    def __init__(self, path, url, max_bytes):
        self.file = path.with_name(path.name + ".part")
        self.note = path.with_name(path.name + ".part.json")
        self.url, self.max_bytes = url, max_bytes

    def forget(self):
        """Delete what has come and the note."""
        self.file.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def go_on(self):
        """Ask for what is missing, or for all of it if the server has another version by now."""
        import requests

        have, validator = self._recall()
        headers = {"Accept-Encoding": "identity"}  # the bytes as published: ranges count these
        if have:
            headers["Range"] = f"bytes={have}-"
        if have and validator:
            headers["If-Range"] = validator
        with requests.get(self.url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                if have and answer.headers.get("Content-Range", "").strip() == f"bytes */{have}":
                    return  # nothing is left to come
                self.forget()
                raise requests.ConnectionError(f"{self.url} has another length than before")
            answer.raise_for_status()
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise requests.exceptions.ContentDecodingError(f"{self.url} comes encoded")
            if answer.status_code != requests.codes.partial_content:
                have = 0  # all of it again: a server without ranges, or another version
            elif not _starts_at(answer.headers.get("Content-Range", ""), have):
                self.forget()
                raise requests.ConnectionError(f"{self.url} sent another part than was asked for")
            self._take(answer, have)

    def _recall(self):
        """Return how many bytes have come of this URL, and the validator of their version."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            have = self.file.stat().st_size
        except (FileNotFoundError, ValueError):  # without a note nobody knows what has come
            return 0, None
        if not isinstance(note, dict) or note.get("url") != self.url:
            return 0, None
        return have, note.get("validator")

    def _take(self, answer, have):
        """Write what comes behind the first `have` bytes."""
        import requests

        length = answer.headers.get("Content-Length", "")
        rest = int(length) if length.isdecimal() else 0
        self._check_size(have + rest)
        if not have:
            note = {"url": self.url, "validator": _validator(answer.headers)}
            self.file.unlink(missing_ok=True)  # before the note: what has come is not its version
            write_text(self.note, json.dumps(note))
        options = {"initial": have, "total": have + rest or None, "unit": "B"}
        with (
            self.file.open("ab" if have else "wb") as file,
            tqdm(desc=self.file.stem, unit_scale=True, **options) as bar,
        ):
            for chunk in answer.iter_content(CHUNK):
                self._check_size(file.tell() + len(chunk))  # whatever the header said
                file.write(chunk)
                bar.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
        if rest and self.file.stat().st_size < have + rest:
            raise requests.ConnectionError(f"{self.url} broke off")

    def _check_size(self, size):
        if size > self.max_bytes:
            self.forget()
            raise ValueError(
                f"{self.url} is not the published file: that has at most {self.max_bytes:,} bytes, "
                f"and this one {size:,} or more. Try again, or try from another network."
            )


def _validator(headers):
    """Return what names a version of a file to If-Range: a strong ETag, or when it was changed."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified")


def _starts_at(content_range, start):
    found = re.match(r"\s*bytes\s+(\d+)-", content_range)
    return found is not None and int(found[1]) == start


def read_members(path, readers, max_unpacked):
    """Return name -> what ``readers[name](file)`` makes of that member of a .tgz; unpack nothing.

    Parameters
    ----------
    path : Path
    readers : dict of str to callable
    max_unpacked : int
        The published archive has no more bytes when unpacked; reading ends there.

    Raises
    ------
    ValueError
        If the archive is cut off, damaged or crafted: links, members that point out of it, more
        bytes than published, members missing, or contents that their reader refuses.
    """
    read = {}
    with clear_errors(path), gzip.open(path) as unpacked:
        bounded = _Bounded(unpacked, max_unpacked)
        # forward only: no byte is read twice, and `read` is all that is asked of the stream
        with tarfile.open(fileobj=bounded, mode="r|") as tar:  # type: ignore[call-overload]
            for member in tar:
                _check_member(member)
                if member.name in readers and member.name not in read:
                    read[member.name] = readers[member.name](tar.extractfile(member))
        while bounded.read(CHUNK):  # to the end, where its own checksum stands
            pass
        missing = sorted(set(readers) - set(read))
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
    return read


def _check_member(member):
    place = PurePosixPath(member.name)
    if not (member.isreg() or member.isdir()) or place.is_absolute() or ".." in place.parts:
        raise ValueError(f"it holds {member.name[:80]!r}, which is not a plain file inside it")


class _Bounded:
    """A stream that ends with an error after so many bytes."""

    def __init__(self, file, left):
        self.file, self.left = file, left

    def read(self, size):
        """Return the next bytes."""
        chunk = self.file.read(size)
        self.left -= len(chunk)
        if self.left < 0:
            raise ValueError("it unpacks to more bytes than the published file")
        return chunk


@contextmanager
def clear_errors(path):
    """Turn whatever reading a damaged or crafted file raises into one error that names it."""
    try:
        yield
    except gzip.BadGzipFile as error:
        raise _not_published(path, error) from error
    except OSError:  # the disk's, not the file's
        raise
    # pickles fail in any way that their author likes
    except Exception as error:
        raise _not_published(path, error) from error


def _not_published(path, error):
    reason = str(error).partition("\n")[0] or type(error).__name__
    return ValueError(
        f"{path} is not the published file, or is incomplete ({reason}). Delete it and "
        "download it again."
    )
