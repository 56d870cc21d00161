"""Files of arrays, of images and of columns that hold nothing to learn from, or no array at all."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.evidence.bad_case import Case, of_data


class Pickled:
    """What would write a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("unpickled", "w")


def header(text: str | bytes, version: int = 1) -> bytes:
    """Return the beginning of an array's file."""
    coded = text.encode() if isinstance(text, str) else text
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(coded)) + coded


SHAPED = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n"
HEADERS = {
    "no dict": header("[1]\n"),
    "text": header("x\n"),
    "empty": header(""),
    "call": header("__import__('os')._exit(0)\n"),
    "no shape": header("{'descr': '<f8', 'fortran_order': False}\n"),
    "no type": header(SHAPED % ("<f99", "(30, 2)")),
    "object": header(SHAPED % ("|O", "(30, 2)")),
    "1e18": header(SHAPED % ("<f8", f"({10**18}, 2)")),
    "1e19": header(SHAPED % ("<f8", f"({10**19}, 2)")),
    "digits": header(SHAPED % ("<f8", f"({'9' * 5000}, 2)")),
    "negative": header(SHAPED % ("<f8", "(-30, 2)")),
    "many": header(SHAPED % ("<f8", str((1,) * 99))),
    "brackets": header("(" * 9000 + "\n"),
    "braces": header("{" * 3000 + "\n"),
    "minus": header("-" * 60_000 + "1\n"),
    "control": header("\x01\x02\n"),
    "latin": header(b"{'descr': '\xff'}\n"),
    "version 9": header("{}\n", 9),
    "long": header("x" * 10**6, 2),
    "cut": header(SHAPED % ("<f8", "(30, 2)"))[:20],
    "no numbers": header(SHAPED % ("<f8", "(30, 2)")),
    "few numbers": header(SHAPED % ("<f8", "(30, 2)")) + b"\0" * 100,
    "magic": b"\x93NUMPY",
    "record": header("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (30,), }\n") + b"\0" * 240,
}
X, Y = np.arange(60.0).reshape(30, 2), np.arange(30) % 2
WRONG = X.copy()
WRONG[3, 1] = np.nan
ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "no x": ({"y": Y}, "'x'"),
    "no y": ({"x": X}, "'y'"),
    "nothing": ({}, "'x'"),
    "x flat": ({"x": X[:, 0], "y": Y}, "x has shape"),
    "x cube": ({"x": X[None], "y": Y}, "x has shape"),
    "y cube": ({"x": X, "y": Y[:, None, None]}, "y has shape"),
    "lengths": ({"x": X, "y": Y[1:]}, "samples"),
    "no samples": ({"x": X[:0], "y": Y[:0]}, "no samples"),
    "no inputs": ({"x": X[:, :0], "y": Y}, "x has shape"),
    "no outputs": ({"x": X, "y": X[:, :0]}, "y has shape"),
    "NaN": ({"x": WRONG, "y": Y}, "row 4"),
    "inf": ({"x": np.where(X == 7, np.inf, X), "y": Y}, "row 4"),
    "target NaN": ({"x": X, "y": WRONG[:, 1]}, "row 4"),
    "complex": ({"x": X * 1j, "y": Y}, "complex"),
    "dates": ({"x": X.astype("M8[D]"), "y": Y}, "datetime"),
    "texts": ({"x": X.astype(str), "y": Y}, "text"),
    "bytes": ({"x": X.astype("S8"), "y": Y}, "text"),
    "void": ({"x": X.view("V8"), "y": Y}, "x holds"),
    "objects": ({"x": X.astype(object), "y": Y}, "never loaded"),
    "pickle": ({"x": np.array([[Pickled()]] * 30), "y": Y}, "never loaded"),
    "pickled y": ({"x": X, "y": np.array([Pickled()] * 30)}, "never loaded"),
    "scalar": ({"x": 3.0, "y": Y}, "x has shape"),
    "one class": ({"x": X, "y": Y * 0}, "class"),
    "huge": ({"x": np.where(X > 30, 1e308, -1e308), "y": Y}, "column 1"),
    "long doubles": ({"x": X.astype("g") * np.longdouble("1e4000"), "y": Y}, ""),
    "subnormal": ({"x": X * 5e-324, "y": Y}, "column 1"),
    "nine": ({"x": X[:9], "y": X[:9, 0] / 7}, "regression"),
    "constant": ({"x": X, "y": X[:, 0] * 0 + 0.5}, ""),
}


def _archive(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return held.getvalue()


def _saved(**arrays: Any) -> bytes:
    held = io.BytesIO()
    np.savez(held, **arrays)
    return held.getvalue()


def _bomb() -> bytes:
    """An archive of a few megabytes whose arrays would fill three gigabytes, all zeros."""
    held, block = io.BytesIO(), b"\0" * 2**20
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as member:
            member.write(header(SHAPED % ("<f8", f"({3 * 2**26}, 2)")))
            for _ in range(3 * 2**10):
                member.write(block)
        archive.writestr("y.npy", b"")
    return held.getvalue()


def npz() -> Iterator[Case]:
    """Archives of arrays."""
    good = _saved(x=X, y=Y)
    for name, start in HEADERS.items():
        yield of_data(f"header: {name}", "x.npz", _archive(x=start, y=start), "'x'")
    for name, (held, named) in ARRAYS.items():
        yield of_data(name, "x.npz", _saved(**held), *([named] if named else []))
    files = {
        "empty": b"",
        "text": b"x,y\n1,2\n",
        "one array": header(SHAPED % ("<f8", "(30, 2)")),
        "zip": b"PK\x03\x04",
        "no directory": good[:-30],
        "half": good[: len(good) // 2],
        "zeros": b"\0" * 999,
        "pickle": pickle.dumps(Pickled()),
        "gzip": gzip.compress(good),
        "directory twice": good + good[-60:],
        "flipped": good[:99] + bytes([good[99] ^ 255]) + good[100:],
    }
    for name, content in files.items():
        yield of_data(f"file: {name}", "x.npz", content)
    yield of_data("bomb", "x.npz", _bomb())
    yield of_data("target", "x.npz", good, "target", more=', target = "y"')
    yield of_data("drop", "x.npz", good, "drop", more=", drop = [1]")
    yield of_data("capital letters", "x.npz", _saved(X=X, Y=Y), valid=True)
    yield of_data("tiny", "x.npz", _saved(x=X * 1e-200, y=Y), valid=True)


def idx_of(values: Any, kind: int = 8) -> bytes:
    """Return bytes as an IDX file."""
    array = np.asarray(values, dtype=np.uint8)
    return bytes([0, 0, kind, array.ndim]) + b"".join(struct.pack(">I", size) for size in array.shape) + array.tobytes()


IMAGES, LABELS = idx_of(np.arange(480).reshape(30, 4, 4) % 251), idx_of(np.arange(30) % 2)
FLOATS = bytes([0, 0, 0x0D, 2]) + struct.pack(">II", 30, 2) + struct.pack(">60f", *([float("nan")] * 60))
IDX = {
    "empty": (b"", LABELS),
    "four bytes": (IMAGES[:4], LABELS),
    "header cut": (IMAGES[:10], LABELS),
    "cut": (IMAGES[:-1], LABELS),
    "more": (IMAGES + b"\0", LABELS),
    "no zero bytes": (b"\1" + IMAGES[1:], LABELS),
    "type 7": (b"\0\0\x07" + IMAGES[3:], LABELS),
    "no dimensions": (b"\0\0\x08\0", LABELS),
    "255 dimensions": (b"\0\0\x08\xff" + struct.pack(">I", 1) * 255 + b"\1", LABELS),
    "one dimension": (LABELS, LABELS),
    "huge": (b"\0\0\x08\x04" + b"\xff" * 16, LABELS),
    "none": (b"\0\0\x08\x03" + struct.pack(">III", 0, 4, 4), LABELS),
    "zero wide": (b"\0\0\x08\x03" + struct.pack(">III", 30, 0, 4), LABELS),
    "fewer labels": (IMAGES, idx_of(np.arange(29) % 2)),
    "labels cut": (IMAGES, LABELS[:-1]),
    "labels are images": (IMAGES, IMAGES),
    "labels empty": (IMAGES, b""),
    "one class": (IMAGES, idx_of(np.zeros(30))),
    "NaN": (FLOATS, LABELS),
    "text": (b"1,2,3\n", LABELS),
    "gzip": (gzip.compress(IMAGES), LABELS),
}
PACKED = {
    "no gzip": IMAGES,
    "empty": b"",
    "cut": gzip.compress(IMAGES)[:-9],
    "header": gzip.compress(IMAGES)[:10],
    "zlib": zlib.compress(IMAGES),
    "flipped": gzip.compress(IMAGES)[:40] + b"\0\0" + gzip.compress(IMAGES)[42:],
    "bomb": gzip.compress(b"\0" * 2**20, 9) * 3000,
    "bomb with a header": gzip.compress(b"\0\0\x08\x03" + struct.pack(">III", 3000, 1024, 1024), 9)
    + gzip.compress(b"\0" * 2**20, 9) * 3000,
}
PARQUET = {
    "empty": b"",
    "text": b"a,b\n1,2\n",
    "magic": b"PAR1",
    "magics": b"PAR1" + b"\0" * 99 + b"PAR1",
    "zeros": b"\0" * 999,
    "length": b"PAR1\xff\xff\xff\x7fPAR1",
}


def idx() -> Iterator[Case]:
    """Images and labels, plain and packed; Parquet."""
    for name, (images, labels) in IDX.items():
        found = of_data(name, "images-ubyte", images)
        yield Case(name, found.command, {**found.files, "labels-ubyte": labels}, ("-ubyte",))
    for name, content in PACKED.items():
        found = of_data(f"packed: {name}", "images-ubyte.gz", content)
        yield Case(found.name, found.command, {**found.files, "labels-ubyte.gz": gzip.compress(LABELS)}, found.names)
    yield of_data("no labels", "images-ubyte", IMAGES, "labels-ubyte")
    yield of_data("no name", "pictures-ubyte", IMAGES, "target")
    for name, content in PARQUET.items():
        yield of_data(f"Parquet: {name}", "x.parquet", content)
    for name, columns in {
        "objects": {"a": [[1]] * 30},
        "dates": {"a": np.arange(30).astype("M8[D]")},
        "one column": {},
        "infinite": {"a": [float("inf")] * 30},
    }.items():
        yield of_data(f"Parquet: {name}", "x.parquet", _parquet(columns))


def _parquet(columns: dict[str, Any]) -> bytes:
    import pandas

    held = io.BytesIO()
    pandas.DataFrame({**columns, "label": Y}).to_parquet(held)
    return held.getvalue()


CATEGORIES = {"npz": npz, "idx": idx}
