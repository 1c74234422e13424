"""The fetchers against a server of our own, the seeded cache, and the generator."""

import gzip
import io
import pickle
import socket
import subprocess
import sys
import tarfile
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from sklearn_aeppt.datasets import (
    _cifar,
    _tables,
    fetch_cifar100,
    fetch_location30,
    fetch_purchase100,
    fetch_texas100,
    make_purchase,
    purchase_classes,
)

SHARED = Path(__file__).resolve().parents[2] / "shared"
pytest.importorskip("pooch")


class Handler(BaseHTTPRequestHandler):
    """Serves `files`; breaks off after `cut` bytes while there are `cuts` left."""

    def __init__(self, site, *args):
        self.site = site
        super().__init__(*args)

    def log_message(self, *args):
        pass

    def do_GET(self):
        body = self.site.files.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        site, asked = self.site, self.headers.get("Range")
        current = self.headers.get("If-Range") in (None, site.headers.get("ETag"))
        start = int(asked[len("bytes=") : -1]) if asked and site.ranges and current else 0
        site.asked.append(start)
        if start and start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        start += site.shift if start else 0
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if site.length:
            self.send_header("Content-Length", str(len(body) - start))
        for name, value in site.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.site.cuts:
            self.site.cuts -= 1
            self.wfile.write(body[start : start + self.site.cut])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.wfile.write(body[start:])


class Site:
    def __init__(self):
        self.files, self.asked, self.cuts, self.cut, self.ranges = {}, [], 0, 70_000, True
        self.headers, self.shift, self.length = {}, 0, True
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, self))
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def site():
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


def packed(files):
    """Return a .tgz of name -> bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue())


def small(table, **changes):
    return type(table)(**{**vars(table), "shape": (6, 4), "n_classes": 3, **changes})


X_SMALL = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]] * 2, dtype=np.uint8)
ROWS = [",".join(map(str, row)) for row in X_SMALL]


@pytest.fixture
def purchase(site, monkeypatch):
    monkeypatch.setattr(_tables, "PURCHASE", small(_tables.PURCHASE))
    lines = "\n".join(f"{i % 3 + 1},{row}" for i, row in enumerate(ROWS))
    site.files["dataset_purchase.tgz"] = packed({"dataset_purchase": lines.encode()})
    return site


def test_a_table_is_fetched_once_and_read_from_the_cache(purchase, tmp_path):
    bunch = fetch_purchase100(data_home=tmp_path, base_url=purchase.url)
    np.testing.assert_array_equal(bunch.data, X_SMALL)
    np.testing.assert_array_equal(bunch.target, [0, 1, 2] * 2)
    assert bunch.data.dtype == np.uint8 and bunch.target.dtype == np.int64
    assert "197,324" in bunch.DESCR and len(bunch.target_names) == 3
    X, y = fetch_purchase100(
        data_home=tmp_path, base_url="http://nowhere.invalid/", download_if_missing=False,
        return_X_y=True,
    )  # fmt: skip
    np.testing.assert_array_equal(X, bunch.data)
    np.testing.assert_array_equal(y, bunch.target)
    assert purchase.asked == [0]


def test_texas_keeps_its_labels_apart(site, tmp_path, monkeypatch):
    monkeypatch.setattr(_tables, "TEXAS", small(_tables.TEXAS))
    labels = "\n".join(str(i % 3 + 1) for i in range(6)).encode()
    site.files["dataset_texas.tgz"] = packed(
        {"texas/100/feats": "\n".join(ROWS).encode(), "texas/100/labels": labels}
    )
    X, y = fetch_texas100(data_home=tmp_path, base_url=site.url, return_X_y=True)
    np.testing.assert_array_equal(X, X_SMALL)
    np.testing.assert_array_equal(y, [0, 1, 2] * 2)


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_what_has_come_of_a_cut_off_file_is_not_asked_for_again(
    purchase, tmp_path, monkeypatch, ranges
):
    rng = np.random.default_rng(0)
    padding = rng.bytes(300_000)  # so that the archive is longer than a cut
    lines = "\n".join(f"{i % 3 + 1},{row}" for i, row in enumerate(ROWS)).encode()
    purchase.files["dataset_purchase.tgz"] = packed({"dataset_purchase": lines, "more": padding})
    purchase.cuts, purchase.ranges = 2, ranges
    X, _ = fetch_purchase100(
        data_home=tmp_path, base_url=purchase.url, delay=0, return_X_y=True
    )  # fmt: skip
    np.testing.assert_array_equal(X, X_SMALL)
    assert purchase.asked == ([0, 65536, 131072] if ranges else [0, 0, 0])
    assert not list(tmp_path.rglob("*.part"))


def test_a_second_call_goes_on_where_the_first_gave_up(purchase, tmp_path):
    purchase.files["dataset_purchase.tgz"] += b"\0" * 200_000  # gzip ignores zeros at the end
    purchase.cuts = 1
    with pytest.raises(OSError, match="What was downloaded is kept: call again"):
        fetch_purchase100(data_home=tmp_path, base_url=purchase.url, n_retries=0)
    X, _ = fetch_purchase100(data_home=tmp_path, base_url=purchase.url, return_X_y=True)
    np.testing.assert_array_equal(X, X_SMALL)
    assert purchase.asked == [0, 65536]


def test_without_a_network_the_message_says_what_to_do_by_hand(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    with pytest.raises(OSError, match=r"Could not download .*\n?.*put it at .*purchase\.tgz"):
        fetch_purchase100(data_home=tmp_path, base_url=url, n_retries=1, delay=0)
    with pytest.raises(OSError, match="download_if_missing=False: allow the download"):
        fetch_purchase100(data_home=tmp_path, download_if_missing=False)


def test_another_file_is_refused_and_forgotten(site, tmp_path, monkeypatch):
    site.files["dataset_location.tgz"] = packed({"bangkok": b'"1",0,1'})
    with pytest.raises(ValueError, match="not the published file: its checksum"):
        fetch_location30(data_home=tmp_path, base_url=site.url)
    assert not list((tmp_path / "sklearn_aeppt").glob("dataset_location*"))
    # without a published checksum, the records are counted
    site.files["dataset_purchase.tgz"] = packed({"dataset_purchase": b"1,0,1\n2,1,1"})
    with pytest.raises(ValueError, match=r"2 records of 2 features in 2 classes and not 197324"):
        fetch_purchase100(data_home=tmp_path, base_url=site.url)


def test_the_published_location_archive(site, tmp_path):
    file = SHARED / "data" / "dataset_location.tgz"
    if not file.exists():
        pytest.skip("needs ../shared/data/dataset_location.tgz")
    site.files[file.name] = file.read_bytes()
    X, y = fetch_location30(data_home=tmp_path, base_url=site.url, return_X_y=True)
    with np.load(SHARED / "data" / "location30.npz") as z:
        expected = np.unpackbits(z["X_packed"], axis=1, count=int(z["n_features"]))
        np.testing.assert_array_equal(X, expected)
        np.testing.assert_array_equal(y, z["y"])


def _cifar_files(rng):
    def part(n):
        return {
            b"data": rng.integers(256, size=(n, 3072), dtype=np.uint8),
            b"fine_labels": rng.integers(100, size=n).tolist(),
        }

    names = {b"fine_label_names": [b"thing %d" % i for i in range(100)]}
    return {"train": part(5), "test": part(3), "meta": names}


def test_cifar_as_archive_and_as_folder(site, tmp_path, monkeypatch):
    files = _cifar_files(np.random.default_rng(0))
    bytes_of = {name: pickle.dumps(content) for name, content in files.items()}
    archive = packed({f"cifar-100-python/{k}": v for k, v in bytes_of.items()})
    monkeypatch.setattr(_cifar, "CHECKSUM", None)
    site.files["cifar-100-python.tar.gz"] = archive
    bunch = fetch_cifar100(data_home=tmp_path / "a", base_url=site.url, subset="all")
    folder = tmp_path / "b" / "sklearn_aeppt" / "cifar-100-python"
    folder.mkdir(parents=True)
    for name, content in bytes_of.items():
        (folder / name).write_bytes(content)
    X, y = fetch_cifar100(
        data_home=tmp_path / "b", download_if_missing=False, subset="all", return_X_y=True
    )
    np.testing.assert_array_equal(X, bunch.data)
    np.testing.assert_array_equal(y, files["train"][b"fine_labels"] + files["test"][b"fine_labels"])
    assert bunch.images.shape == (8, 32, 32, 3) and bunch.target_names[7] == "thing 7"
    red = files["train"][b"data"][0, :1024].reshape(32, 32)
    np.testing.assert_array_equal(bunch.images[0, :, :, 0], red)
    assert len(fetch_cifar100(data_home=tmp_path / "b", return_X_y=True)[0]) == 5
    with pytest.raises(ValueError, match="subset"):
        fetch_cifar100(subset="half")


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    folder = tmp_path / "sklearn_aeppt" / "cifar-100-python"
    folder.mkdir(parents=True)
    for name in ("train", "meta"):
        (folder / name).write_bytes(pickle.dumps(subprocess.getoutput))
    with pytest.raises(ValueError, match=r"asks to load subprocess\.getoutput.* Delete it"):
        fetch_cifar100(data_home=tmp_path)


def test_cifar_as_the_tool_lays_it_out(tmp_path):
    tool = SHARED / "tools" / "unpack_cifar100.py"
    if not tool.exists():
        pytest.skip("needs ../shared/tools and ../shared/data")
    (tmp_path / "sklearn_aeppt").mkdir()
    command = [sys.executable, str(tool), str(tmp_path / "sklearn_aeppt")]
    subprocess.run(command, check=True, capture_output=True)
    X, y = fetch_cifar100(
        data_home=tmp_path, download_if_missing=False, subset="test", return_X_y=True
    )
    assert X.shape == (10_000, 3072) and (np.bincount(y) == 100).all()


def longer(body):
    return body + b"\0" * 200_000  # gzip ignores zeros at the end


def interrupted(site, tmp_path):
    """Leave a part of the archive that `site` serves now."""
    site.cuts = 1
    with pytest.raises(OSError, match="call again"):
        fetch_purchase100(data_home=tmp_path, base_url=site.url, n_retries=0)


def test_a_file_that_changed_on_the_server_is_fetched_anew(purchase, tmp_path):
    whole = longer(purchase.files["dataset_purchase.tgz"])
    purchase.files["dataset_purchase.tgz"] = packed({"other": b"1"}) + b"\0" * len(whole)
    purchase.headers = {"ETag": '"first"'}
    interrupted(purchase, tmp_path)
    purchase.files["dataset_purchase.tgz"] = whole
    purchase.headers = {"ETag": '"second"'}
    X, _ = fetch_purchase100(data_home=tmp_path, base_url=purchase.url, return_X_y=True)
    np.testing.assert_array_equal(X, X_SMALL)
    assert purchase.asked == [0, 0]
    assert not list(tmp_path.rglob("*.part*"))


def test_the_same_version_is_resumed(purchase, tmp_path):
    purchase.files["dataset_purchase.tgz"] = longer(purchase.files["dataset_purchase.tgz"])
    purchase.headers = {"ETag": '"first"'}
    interrupted(purchase, tmp_path)
    fetch_purchase100(data_home=tmp_path, base_url=purchase.url)
    assert purchase.asked == [0, 65536]


def test_a_part_that_was_not_asked_for_is_not_appended(purchase, tmp_path):
    purchase.files["dataset_purchase.tgz"] = longer(purchase.files["dataset_purchase.tgz"])
    interrupted(purchase, tmp_path)
    purchase.shift = 10
    X, _ = fetch_purchase100(data_home=tmp_path, base_url=purchase.url, delay=0, return_X_y=True)
    np.testing.assert_array_equal(X, X_SMALL)
    assert purchase.asked == [0, 65536, 0]


def test_a_part_longer_than_the_file_is_forgotten(purchase, tmp_path):
    whole = purchase.files["dataset_purchase.tgz"]
    purchase.files["dataset_purchase.tgz"] = longer(whole)
    interrupted(purchase, tmp_path)
    purchase.files["dataset_purchase.tgz"] = whole
    X, _ = fetch_purchase100(data_home=tmp_path, base_url=purchase.url, delay=0, return_X_y=True)
    np.testing.assert_array_equal(X, X_SMALL)


def test_a_part_of_another_address_is_not_continued(purchase, tmp_path):
    purchase.files["dataset_purchase.tgz"] = longer(purchase.files["dataset_purchase.tgz"])
    interrupted(purchase, tmp_path)
    url = purchase.url + "../"
    purchase.files["../dataset_purchase.tgz"] = purchase.files["dataset_purchase.tgz"]
    fetch_purchase100(data_home=tmp_path, base_url=url.replace("../", ""), n_retries=0)
    assert purchase.asked == [0, 65536]
    (tmp_path / "sklearn_aeppt" / "purchase100.npz").unlink()
    (tmp_path / "sklearn_aeppt" / "dataset_purchase.tgz").unlink()
    interrupted(purchase, tmp_path)
    mirror = purchase.url.replace("127.0.0.1", "localhost")
    fetch_purchase100(data_home=tmp_path, base_url=mirror, n_retries=0)
    assert purchase.asked[-1] == 0


@pytest.mark.parametrize("length", [True, False], ids=["says so", "does not say so"])
def test_more_than_the_published_file_is_refused(purchase, tmp_path, monkeypatch, length):
    monkeypatch.setattr(_tables, "PURCHASE", small(_tables.PURCHASE, max_bytes=100_000))
    purchase.files["dataset_purchase.tgz"] = longer(purchase.files["dataset_purchase.tgz"])
    purchase.length = length
    with pytest.raises(ValueError, match=r"dataset_purchase\.tgz .* at most 100,000 bytes"):
        fetch_purchase100(data_home=tmp_path, base_url=purchase.url)
    assert not list((tmp_path / "sklearn_aeppt").iterdir())


def entry(name, kind=tarfile.REGTYPE, size=0):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, "/etc/passwd"
    return info.tobuf() + b"\0" * (-size % 512 + size)


def crafted(*entries):
    return gzip.compress(b"".join(entries) + b"\0" * 10_240)


GOOD = packed({"dataset_purchase": b"\n".join(b"%d,1,0,1,0" % (i % 3) for i in range(6))})
ARCHIVES = {
    "no archive": b"<html>not found</html>",
    "empty": b"",
    "cut off": GOOD[:-30],
    "damaged": GOOD[:-8] + b"\0" * 8,
    "member out of it": crafted(entry("../../dataset_purchase")),
    "absolute member": crafted(entry("/dataset_purchase")),
    "symbolic link": crafted(entry("dataset_purchase", tarfile.SYMTYPE)),
    "hard link": crafted(entry("dataset_purchase", tarfile.LNKTYPE)),
    "device": crafted(entry("dataset_purchase", tarfile.CHRTYPE)),
    "folder": crafted(entry("dataset_purchase", tarfile.DIRTYPE)),
    "bomb before": crafted(entry("zeros", size=1 << 24)),
    "one long line": crafted(entry("dataset_purchase", size=1 << 19)),
    "other members": packed({"dataset": b"1,0"}),
    "empty member": packed({"dataset_purchase": b"\n"}),
    "words": packed({"dataset_purchase": b"a,b\nc,d"}),
    "great values": packed({"dataset_purchase": b"1,300\n2,-1"}),
    "ragged": packed({"dataset_purchase": b"1,0,1\n2,1"}),
    "too many lines": packed({"dataset_purchase": b"1,0,1,0,1\n" * 1000}),
    "not text": packed({"dataset_purchase": bytes(range(128, 256))}),
    "size that lies": gzip.compress(entry("dataset_purchase", size=1 << 19)[:1024]),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_crafted_archive_is_one_clear_error(purchase, tmp_path, name):
    purchase.files["dataset_purchase.tgz"] = ARCHIVES[name]
    with pytest.raises(
        ValueError, match=r"dataset_purchase\.tgz .*Delete it and download it again"
    ):
        fetch_purchase100(data_home=tmp_path, base_url=purchase.url, n_retries=0)
    names = {file.name for file in tmp_path.rglob("*") if file.is_file()}
    assert names == {"dataset_purchase.tgz"}  # what was asked for, and nothing out of it


def test_an_archive_that_lies_there_half_written_is_named_and_fetched_again(purchase, tmp_path):
    folder = tmp_path / "sklearn_aeppt"
    folder.mkdir()
    file = folder / "dataset_purchase.tgz"
    file.write_bytes(purchase.files[file.name][:-20])
    options = {"data_home": tmp_path, "base_url": purchase.url, "return_X_y": True}
    with pytest.raises(ValueError, match=r"dataset_purchase\.tgz is not the published file"):
        fetch_purchase100(**options, download_if_missing=False)
    with pytest.warns(UserWarning, match=r"dataset_purchase\.tgz .* It is downloaded again"):
        X, _ = fetch_purchase100(**options)
    np.testing.assert_array_equal(X, X_SMALL)
    assert file.read_bytes() == purchase.files[file.name]


def test_half_written_with_a_checksum(site, tmp_path):
    (tmp_path / "sklearn_aeppt").mkdir()
    file = tmp_path / "sklearn_aeppt" / "dataset_location.tgz"
    file.write_bytes(b"half")
    with pytest.raises(ValueError, match=r"dataset_location\.tgz .* is incomplete"):
        fetch_location30(data_home=tmp_path, base_url=site.url, download_if_missing=False)
    assert file.read_bytes() == b"half" and not site.asked


def _npz(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def _npz_of_shape(shape, dtype="|u1"):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("X_packed.npy", header.getvalue() + b"1")
        z.writestr("y.npy", header.getvalue() + b"1")
    return out.getvalue()


BITS, CLASSES = np.packbits(X_SMALL, axis=1), np.array([0, 1, 2] * 2, dtype=np.uint8)
CACHES = {
    "empty": b"",
    "cut off": _npz(X_packed=BITS, y=CLASSES)[:-40],
    "half": _npz(X_packed=BITS, y=CLASSES)[:100],
    "damaged": _npz(X_packed=BITS, y=CLASSES).replace(BITS.tobytes(), b"ABCDEF"),
    "one array": _npz(X_packed=BITS),
    "fewer rows": _npz(X_packed=BITS[:5], y=CLASSES[:5]),
    "another width": _npz(X_packed=np.hstack([BITS, BITS]), y=CLASSES),
    "labels of another shape": _npz(X_packed=BITS, y=CLASSES[:, None]),
    "labels that are no classes": _npz(X_packed=BITS, y=CLASSES + 7),
    "pickles": _npz(X_packed=BITS.astype(object), y=CLASSES),
    "absurd": _npz_of_shape((1 << 50, 1)),
    "absurd of the right shape": _npz_of_shape((6, 1), "|V1000000000"),
}


@pytest.mark.parametrize("name", CACHES)
def test_a_damaged_cache_is_named_and_made_again(purchase, tmp_path, name):
    options = {"data_home": tmp_path, "base_url": purchase.url, "return_X_y": True}
    fetch_purchase100(**options)
    cache = tmp_path / "sklearn_aeppt" / "purchase100.npz"
    cache.write_bytes(CACHES[name])
    with pytest.warns(UserWarning, match=r"purchase100\.npz .* rebuilt from the archive"):
        X, y = fetch_purchase100(**options)
    np.testing.assert_array_equal(X, X_SMALL)
    np.testing.assert_array_equal(y, CLASSES)
    fetch_purchase100(**options)  # without a warning
    assert purchase.asked == [0]


def _without(contents, **changes):
    return {**contents, **{key.encode(): value for key, value in changes.items()}}


@pytest.mark.parametrize(
    "change",
    [
        {"data": np.zeros((5, 3071), np.uint8)},
        {"data": np.zeros((5, 3072), np.float64)},
        {"data": [[0] * 3072] * 5},
        {"data": np.zeros((4, 3072), np.uint8)},
        {"fine_labels": [0, 1, 2, 3, 100]},
        {"fine_labels": ["a"] * 5},
        {"fine_labels": 7},
        {"fine_labels": []},
    ],
)
def test_cifar_of_another_shape_is_refused(site, tmp_path, monkeypatch, change):
    files = _cifar_files(np.random.default_rng(0))
    files["train"] = _without(files["train"], **change)
    monkeypatch.setattr(_cifar, "CHECKSUM", None)
    site.files["cifar-100-python.tar.gz"] = packed(
        {f"cifar-100-python/{k}": pickle.dumps(v) for k, v in files.items()}
    )
    with pytest.raises(ValueError, match=r"cifar-100-python\.tar\.gz is not the published file"):
        fetch_cifar100(data_home=tmp_path, base_url=site.url)


@pytest.mark.parametrize("broken", [b"", b"\x80\x04", pickle.dumps([]), pickle.dumps({})])
def test_an_unpacked_file_that_is_cut_off_is_named_and_the_archive_taken(
    site, tmp_path, monkeypatch, broken
):
    files = _cifar_files(np.random.default_rng(0))
    monkeypatch.setattr(_cifar, "CHECKSUM", None)
    bytes_of = {name: pickle.dumps(content) for name, content in files.items()}
    site.files["cifar-100-python.tar.gz"] = packed(
        {f"cifar-100-python/{k}": v for k, v in bytes_of.items()}
    )
    folder = tmp_path / "sklearn_aeppt" / "cifar-100-python"
    folder.mkdir(parents=True)
    for name, content in bytes_of.items():
        (folder / name).write_bytes(content)
    (folder / "train").write_bytes(broken)
    with pytest.warns(UserWarning, match=r"train is not the published file.*archive is used"):
        _, y = fetch_cifar100(data_home=tmp_path, base_url=site.url, return_X_y=True)
    np.testing.assert_array_equal(y, files["train"][b"fine_labels"])


def test_made_up_baskets():
    X, y = make_purchase(3000, n_classes=20, random_state=0)
    assert X.dtype == np.uint8 and X.shape == (3000, 600) and set(np.unique(X)) == {0, 1}
    assert len(np.unique(y)) == 20
    again = make_purchase(3000, n_classes=20, random_state=0)
    np.testing.assert_array_equal(X, again[0])
    np.testing.assert_array_equal(y, again[1])
    assert len(np.unique(purchase_classes(X, 5, random_state=0))) == 5
    with pytest.raises(ValueError, match="noise"):
        make_purchase(10, noise=2.0)
    with pytest.raises(ValueError, match="n_tastes"):
        make_purchase(100, n_tastes=2, n_classes=2)
