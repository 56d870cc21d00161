"""Tables of text that hold nothing to learn from, or no table at all."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

from bench.evidence.bad_case import Case, of_data

ROWS = "".join(f"{i},{i / 8},{i % 2}\n" for i in range(30))
TABLE = "a,b,label\n" + ROWS


TABLES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "empty"),
    "blank": ("\n\n  \n", "empty"),
    "header alone": ("a,b,label\n", "no samples"),
    "one row": ("a,b,label\n1,2,0\n", "1 sample"),
    "two rows": ("a,b,label\n1,2,0\n3,4,1\n", ""),
    "one column": ("label\n" + "1\n" * 30, "column"),
    "one class": ("a,label\n" + "1,0\n" * 30, "class"),
    "a short row": (TABLE + "1,2\n", "line 32"),
    "a long row": (TABLE + "1,2,3,4\n", "line 32"),
    "text": (TABLE + "x,2,1\n", "line 32"),
    "inf": (TABLE + "inf,2,1\n", "line 32"),
    "-inf": (TABLE + "1,-inf,1\n", "line 32"),
    "1e400": (TABLE + "1e400,2,1\n", "line 32"),
    "NaN target": (TABLE + "1,2,nan\n", "line 32"),
    "no target": (TABLE + "1,2,\n", "line 32"),
    "inf target": ("a,y\n" + "".join(f"{i},{i / 7}\n" for i in range(30)) + "1,inf\n", "line 32"),
    "only NaN": ("a,b,label\n" + "nan,nan,0\nnan,nan,1\n" * 15, ""),
    "one column NaN": ("a,b,label\n" + "".join(f"{i},nan,{i % 2}\n" for i in range(30)), ""),
    "open quote": (TABLE + '"1,2,1\n', "line 3"),
    "quotes": ('"' * 1000, ""),
    "zero byte": (TABLE + "1\0,2,1\n", "line 32"),
    "binary": (bytes(range(256)) * 9, ""),
    "latin": (TABLE.encode() + b"\xe9,1,2\n", "UTF-8"),
    "UTF-16": (TABLE.encode("utf-16"), "UTF-8"),
    "gzip": (gzip.compress(TABLE.encode()), ""),
    "npz": (b"PK\x03\x04" + b"\0" * 100, ""),
    "HTML": ("<html>\n<body>\n", "column"),
    "huge": (TABLE + "1e308,2,1\n" * 30 + "-1e308,2,0\n" * 30, "column 1"),
    "subnormal": ("a,label\n" + "".join(f"{i}e-320,{i % 2}\n" for i in range(30)), "column 1"),
    "tiny": ("a,label\n" + "".join(f"{i}e-310,{i % 2}\n" for i in range(30)), "column 1"),
    "dates": ("a,label\n" + "".join(f"2020-01-{i + 1:02},{i % 2}\n" for i in range(28)), "dates"),
    "which target": ("a,b,c\n" + ROWS, "target"),
    "two targets": ("label,b,target\n" + ROWS, "target"),
    "target twice": ("target,b,target\n" + ROWS, "target"),
    "no header": (ROWS, "target"),
    "every class once": ("a,label\n" + "".join(f"{i},c{i}\n" for i in range(30)), "class"),
    "a class of two": ("a,label\n" + "1,0\n2,0\n" * 15 + "1,1\n2,1\n", "class"),
    "names": ("a,label\n" + "".join(f"n{i},{i % 2}\n" for i in range(60)), "a"),
    "constant text": ("a,label\n" + "".join(f"same,{i % 2}\n" for i in range(60)), "a"),
    "a long cell": ("a,label\n" + "9" * 200_000 + ",1\n", ""),
    "a long text": (TABLE + "t" * 100_000 + ",2,1\n", "line 32"),
    "a million names": (",".join(f"c{i}" for i in range(10**6)) + "\n1,2\n", "line 2"),
    "a million names, no target": (",".join(f"c{i}" for i in range(10**6)), "target"),
    "a JSON": ('{"a": [1, 2]}', ""),
    "nine samples": ("a,y\n" + "".join(f"{i},{i / 7}\n" for i in range(9)), "regression"),
    "spaces": ("a b label\n1 2 0\n", "column"),
}
OPTIONS = {
    "no such target": (', target = "labl"', "label"),
    "target 0": (", target = 0", "target"),
    "target 4": (", target = 4", "target"),
    "target nan": (", target = nan", "target"),
    "target list": (', target = ["label"]', "target"),
    "drop target": (', drop = ["label"]', "target"),
    "drop all": (', drop = ["a", "b"]', "input"),
    "drop near": (', drop = ["labell"]', "label"),
    "drop date": (", drop = [1979-05-27]", "drop"),
    "drop table": (", drop = {}", "drop"),
    "categorical": (', categorical = ["no"]', "no"),
    "categorical true": (", categorical = true", "categorical"),
    "missing": (', missing = "filled"', "missing"),
    "missing number": (", missing = 1", "missing"),
    "missing list": (", missing = []", "missing"),
    "scaling text": (', scaling = "x"', "scaling"),
    "scaling 0": (", scaling = 0", "scaling"),
    "scaling -1": (", scaling = -1", "scaling"),
    "scaling nan": (", scaling = nan", "scaling"),
    "scaling inf": (", scaling = inf", "scaling"),
    "scaling tiny": (", scaling = 1e-320", "scaling"),
    "scaling date": (", scaling = 1979-05-27", "scaling"),
    "task": (', task = "x"', "task"),
    "task list": (", task = []", "task"),
    "unknown": (", targets = 1", "target"),
    "label_noise": (", label_noise = 2.0", "label_noise"),
    "imbalance": (", imbalance = nan", "imbalance"),
    "drop JSON": (", drop = '[{]'", "drop"),
    "categorical JSON": (", categorical = '[1'", "categorical"),
}
VALID = {
    "numbered header": "0,1,2,label\n" + "".join(f"{i},{i},{i},{i % 2}\n" for i in range(30)),
    "byte order mark": b"\xef\xbb\xbf" + TABLE.encode(),
    "CRLF": TABLE.replace("\n", "\r\n"),
    "semicolons": TABLE.replace(",", ";"),
    "markup": TABLE.replace("a,b", "<script>alert(1)</script>,=cmd()"),
    "missing cells": TABLE + "nan,1,1\n,2,0\n",
    "tiny deviation": "a,label\n" + "".join(f"{i}e-200,{i % 2}\n" for i in range(30)),
    "names twice": TABLE.replace("a,b", "a,a"),
}


def csv() -> Iterator[Case]:
    """Tables of text."""
    for name, (content, named) in TABLES.items():
        yield of_data(name, "x.csv", content, *([named] if named else []))
    for name, (more, named) in OPTIONS.items():
        yield of_data(f"option {name}", "x.csv", TABLE, named, more=more)
    for name, content in VALID.items():
        yield of_data(name, "x.csv", content, valid=True)


CATEGORIES = {"csv": csv}
