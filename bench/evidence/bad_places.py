"""Paths that lead nowhere or to what is no file, stores that are none, and options that nothing can mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.evidence.bad_case import QUIET, Case

LONG = "x" * 300
FINE = {"fine.toml": "epochs = 1\n"}
Make = Callable[[Path], object]


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _closed(path: Path) -> None:
    path.write_text("epochs = 1")
    path.chmod(0)


def _socket(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(path.parent)
        made.bind(path.name)


NO_FILES: dict[str, Make] = {
    "a pipe": _pipe,
    "zeros": _zeros,
    "a folder": Path.mkdir,
    "a loop": _loop,
    "a dangling link": _dangling,
    "no permission": _closed,
    "a socket": _socket,
}
NAMES = {
    "missing": "missing",
    "nobody": "~no-such-user/x",
    "long": LONG,
    "long folders": "/".join([LONG] * 20),
    "zero byte": "a\0b",
    "not UTF-8": "caf\udce9",
    "deep": "a/" * 3000 + "x",
    "a file below a file": "fine.toml/x",
    "proc": "/proc/self/mem",
    "markup": "<script>alert(1)</script>",
    "line": "a\nb",
    "dots": "../../../x",
    "empty": "",
}
SUFFIXES = (".toml", ".csv", ".npz", "-ubyte", ".parquet")


def _made(make: Make, name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    make(folder / name)


def _for(suffix: str, path: str) -> tuple[str, ...]:
    """Return the command that opens a path."""
    return ("run", path, *QUIET) if suffix == ".toml" else ("run", "fine.toml", "--data", path, *QUIET)


def paths() -> Iterator[Case]:
    """Files to read that are none."""
    for suffix in SUFFIXES:
        for kind, make in NO_FILES.items():
            name = f"images{suffix}"
            made = partial(_made, make, name)
            plain = kind == "no permission"
            yield Case(f"{suffix}: {kind}", _for(suffix, name), FINE, (name,), made, plain=plain)
    for kind, name in NAMES.items():
        for suffix in (".toml", ".csv"):
            if not (kind == "empty" and suffix == ".csv"):
                yield Case(f"{suffix}: {kind}", _for(suffix, f"{name}{suffix}"), FINE)
    for kind, name in {"no study": "", "folder": ".", "parent": "..", "root": "/", "near": "quik"}.items():
        yield Case(f"study: {kind}", ("run", name, *QUIET), FINE)
        yield Case(f"data: {kind}", ("run", "fine.toml", "--data", name, *QUIET), FINE)


OUT: dict[str, tuple[str, Make]] = {
    "a file": ("out", lambda f: (f / "out").write_text("mine")),
    "below a file": ("out/x", lambda f: (f / "out").write_text("mine")),
    "a pipe": ("out", lambda f: _pipe(f / "out")),
    "a loop": ("out", lambda f: _loop(f / "out")),
    "long": (LONG, lambda f: None),
    "nobody": ("~no-such-user", lambda f: (f / "~no-such-user").write_text("")),
    "zero byte": ("a\0b", lambda f: None),
    "deep": ("a/" * 3000, lambda f: None),
    "proc": ("/proc/self/out", lambda f: None),
    "device": ("/dev/null/x", lambda f: None),
    "not ours": ("/sys/out", lambda f: None),
    "closed": ("out", lambda f: (f / "out").mkdir(0o500)),
    "the store is a folder": ("out", lambda f: (f / "out/store.sqlite").mkdir(parents=True)),
    "the store is a pipe": ("out", lambda f: ((f / "out").mkdir(), _pipe(f / "out/store.sqlite"))),
    "the store is zeros": ("out", lambda f: ((f / "out").mkdir(), _zeros(f / "out/store.sqlite"))),
    "the store is a loop": ("out", lambda f: ((f / "out").mkdir(), _loop(f / "out/store.sqlite"))),
}


def out() -> Iterator[Case]:
    """Folders to write that cannot be, and names that would lead out of them."""
    for kind, (name, make) in OUT.items():
        plain = kind in ("closed", "not ours")
        yield Case(f"--out {kind}", ("run", "fine.toml", "--out", name, *QUIET), FINE, (), make, plain=plain)
    for name in ("../../x", "/tmp/x", "..", "a/../../x"):
        yield Case(f"name {name}", ("run", "bad.toml", *QUIET), {"bad.toml": f'name = "{name}"'}, ("bad.toml", "name"))


def _other(path: Path) -> None:
    """Write a database of someone else."""
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE runs (mine TEXT)")
        other.execute("INSERT INTO runs VALUES ('kept')")
    other.close()


STORES: dict[str, Make] = {
    "text": lambda p: p.write_text("mine"),
    "magic and junk": lambda p: p.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40),
    "other": _other,
    "folder": Path.mkdir,
    "pipe": _pipe,
    "device": _zeros,
    "loop": _loop,
    "zip": lambda p: p.write_bytes(b"PK\x03\x04" * 99),
}
# What may be left of a store is taken for one, mended, and kept beside.
MENDED = {"zeros": b"\0" * 9999, "magic": b"SQLite format 3\0"}
READERS = {
    "run": ("run", "fine.toml", "--out", "out", *QUIET),
    "plan": ("plan", "fine.toml", "--out", "out"),
    "report": ("report", "out"),
    "figure": ("figure", "rate_curves", "out"),
    "compare": ("compare", "out"),
    "export": ("export", "out"),
    "verify": ("verify", "out"),
    "doctor": ("doctor", "out"),
    "forget": ("try", "--forget", "mine", "fine.toml", "--out", "out"),
}


def stores() -> Iterator[Case]:
    """Stores that are none, under every command that opens one."""
    for kind, make in STORES.items():
        for command, words in READERS.items():
            made = partial(_made, make, "out/store.sqlite")
            yield Case(f"{kind}: {command}", words, FINE, ("out",), made)
    for kind, content in MENDED.items():
        for command in ("run", "plan", "export", "verify", "doctor"):
            yield Case(f"{kind}: {command}", READERS[command], {**FINE, "out/store.sqlite": content}, valid=True)
    for command, words in READERS.items():
        if command not in ("run", "plan"):
            yield Case(f"missing: {command}", words, FINE, ("out",))
            yield Case(f"empty folder: {command}", words, FINE, ("out",), lambda folder: (folder / "out").mkdir())


NUMBERS = ("0", "-1", "1000000", str(10**30), "nan", "inf", "1.5", "two", "", "0x10", "\N{DIGIT TWO}x")
GIVEN = {
    "run fine.toml --threads": NUMBERS,
    "plan fine.toml --threads": NUMBERS,
    "try rule.py fine.toml --threads": NUMBERS,
    "verify out --threads": NUMBERS[:4] + NUMBERS[6:],
    "verify out --sample": ("0", "-1", "nan", "two", ""),
    "bench --rounds": ("0", "-1", "nan", "two"),
    "bench --threads": ("0", "-1", "1000000", "nan"),
    "bench --dtype": ("float16", ""),
    "bench --grid --peers": (),
    "bench --grid": ("huge",),
    "bench --fail-on": ("faster", "x"),
    "bench --compare": ("no-such-revision", "-x", ""),
    "try rule.py fine.toml --rates": ("x", "0", "-1", "nan", "inf", "1,,2", "1;2"),
    "try rule.py fine.toml --tune": ("x", "b1", "b1=", "=1", "b1=x", "no=0.1", "b1=nan"),
    "try rule.py fine.toml --margin": ("x", "-1", "nan", "inf"),
    "try rule.py fine.toml --cap": ("0", "-1", "x", str(10**30)),
    "warm --dtype": ("float16",),
    "warm": ("no-such-study", "missing.toml", ""),
    "list": ("no-such-kind", "adm", "\0", LONG),
    "list optimizers": ("adm", ""),
    "figure rate_curves out --width": ("0in", "-1in", "3", "nanin", "infin", "1e9in", "x"),
    "figure rate_curves out --format": ("gif", ""),
    "figure rate_curves out --font-size": ("0", "-1", "nan", "inf", "1e9"),
    "figure rate_curves out --only": ("no-such",),
    "compare out --control": ("no-such",),
    "compare out --by": ("no-such", "a,b", ","),
    "compare out --metric": ("no-such", "name"),
    "compare out --margin": ("-1", "nan", "inf", "x"),
    "export out --run": ("no-such",),
    "export out --torch": ("x.py",),
    "data fetch": ("", "../x", "no/such"),
    "data fetch x --version": ("-1", "nan"),
    "run fine.toml --target": ("1", "x"),
    "run fine.toml --data x.csv --target": ("0", "9", "no", "-1", "²", ""),
    "run fine.toml --data x.csv --drop": ("no", ",", "0", "1,2,3"),
    "run fine.toml --data x.csv --categorical": ("no", "9", ""),
    "run fine.toml --data x.csv --missing": ("x", ""),
}
ALONE = (
    "run",
    "plan",
    "report",
    "figure",
    "figure rate_curves",
    "compare",
    "export",
    "verify",
    "data fetch",
    "no-such-command",
    "run a b c",
    "run --no-such",
    "run --threads",
    "doctor a b",
    "list a b c",
    "report out --json --x",
    "verify out --all --sample 3",
    "try missing.py",
    "try",
    "try folder",
)
ROWS = "a,b,label\n" + "".join(f"{i},{i / 8},{i % 2}\n" for i in range(30))
RULE = """
from mlpjit.extending import elementwise
@elementwise
def mine(g, learning_rate):
    return learning_rate * g
"""


def options() -> Iterator[Case]:
    """Options of every command with what they do not take."""
    files = {**FINE, "x.csv": ROWS, "rule.py": RULE, "folder/x": ""}
    for words, values in GIVEN.items():
        for value in values:
            yield Case(f"{words} {value[:20]!r}", (*words.split(), value), files)
    for words in ALONE:
        yield Case(words, tuple(words.split()), files)


CATEGORIES = {"paths": paths, "out": out, "stores": stores, "options": options}
