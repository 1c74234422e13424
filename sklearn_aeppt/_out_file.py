"""Files that a command is to write, looked at before the work that they are to hold."""

from pathlib import Path


def check_out(path, endings, read=None, flag="--out", read_as="--model"):
    """Refuse a file that cannot be written, before the work that it is to hold."""
    if path is None:
        return
    if Path(path).is_dir():
        raise ValueError(f"{flag} {path} is a folder: give a file in it.")
    if not path.lower().endswith(endings):
        raise ValueError(f"{flag} {path}: give a file that ends in {' or '.join(endings)}.")
    folder = Path(path).parent
    if not folder.is_dir():
        raise ValueError(f"{flag} {path}: there is no folder {folder}; create it first.")
    if read is not None and Path(path).resolve() == Path(read).resolve():
        raise ValueError(
            f"{flag} {path} is the file of {read_as}, which would be lost: give another file."
        )
