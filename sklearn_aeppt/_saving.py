"""How this library writes: whole files or none, and caches that are private and never stale."""

import os
import secrets
import stat
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

PRIVATE, ORDINARY = 0o600, 0o666  # the latter less the umask
PRIVATE_FOLDER = 0o700


@contextmanager
def writing(path, *, private=False):
    """Open a file to write bytes to, which takes its place only when all of it is on the disk.

    It is written beside `path` and renamed: an exception or a full disk leaves the file that was
    there as it was, and nothing else.

    Parameters
    ----------
    path : path-like
        A link is followed; a device or a pipe, such as ``/dev/stdout``, is written to directly.
    private : bool, default=False
        Readable by its owner only: for keys, undefended answers and what they were learned from.
        Any other file keeps the mode of the one that it replaces, or has the umask's.

    Yields
    ------
    file : binary file object
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path = Path(os.path.realpath(path))
    mode = PRIVATE if private else ORDINARY
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode)
    except OSError as error:  # about the file that was asked for, not about the one beside it
        raise type(error)(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        if not private and path.exists():
            part.chmod(stat.S_IMODE(path.stat().st_mode))
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


_BINARY = getattr(os, "O_BINARY", 0)


def write_text(path, text, *, private=False):
    """Write a text as UTF-8 in one step; a character that no encoding has is written escaped."""
    with writing(path, private=private) as file:
        file.write(text.encode("utf-8", errors="backslashreplace"))


def private_folder(path):
    """Make a folder that its owner alone can enter, or make the one that is there so."""
    path = Path(path)
    path.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
    try:
        path.chmod(PRIVATE_FOLDER)
    except PermissionError as error:
        raise PermissionError(
            error.errno,
            "belongs to another user, who could read or replace its files: choose a "
            "folder of your own",
            str(path),
        ) from error
    return path


def read_arrays(path, fits):
    """Return name -> array of an ``.npz`` file, after a look at what its headers promise.

    Parameters
    ----------
    path : path-like
    fits : dict of str to callable
        Name of an array that must be there -> ``fits(shape, dtype)``, whether its header may be
        believed. Nothing is allocated for an array before that.

    Raises
    ------
    ValueError
        If the file is cut off or damaged, lacks an array, or holds another one than it should.
    """
    try:
        with zipfile.ZipFile(path) as members:
            found = ", ".join(name.removesuffix(".npy") for name in members.namelist())
            for name, fit in fits.items():
                shape, dtype, size = _header(members, name)
                if dtype.hasobject or not fit(shape, dtype):
                    raise ValueError(f"{name} has shape {shape} and type {dtype}")
                if size != dtype.itemsize * int(np.prod(shape, dtype=object)):
                    raise ValueError(
                        f"{name} does not have the size that its shape {shape} requires"
                    )
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in fits}
    except KeyError as error:
        raise ValueError(
            f"{path} holds {found} instead of {', '.join(fits)}: it is not the expected file."
        ) from error
    except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, zlib.error) as error:
        raise ValueError(f"{path} is damaged or not the expected file: {error}.") from error


def read_records(path):
    """Return the arrays ``X`` and ``y`` of an ``.npz`` file of records."""
    try:
        return read_arrays(path, {"X": lambda shape, dtype: True, "y": lambda shape, dtype: True})
    except ValueError as error:
        raise ValueError(f"{error} Save it with numpy.savez(file, X=X, y=y).") from error


def _header(members, name):
    """Return shape, dtype and bytes of content of an array in an open .npz file."""
    info = members.getinfo(f"{name}.npy")
    with members.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in read:
            raise ValueError(f"{name} has version {version} of the .npy format")
        shape, _, dtype = read[version](file)
        return shape, dtype, info.file_size - file.tell()
