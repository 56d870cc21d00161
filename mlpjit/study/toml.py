"""TOML of a study as plain data; what Python's parser would end with a traceback is one line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from mlpjit.errors import ConfigError

MOST_BITS = 128  # of a whole number: more than anything takes, and still printed in a line
MOST_NESTED = 500  # tables in tables: half of what Python's own recursion bears
TOO_DEEP = "brackets are nested too deeply"
LONG_KEY = re.compile(r"(?<!\w)(?:\w++\.){2000}")
LONG_NUMBER = re.compile(r"[0-9_]{1000,}")


def read_toml(text: str, file: str) -> dict[str, Any]:
    """Return the tables of a study file. Raises ConfigError that names the file and the line or the key."""
    if LONG_KEY.search(text):  # for which Python's parser takes a time that grows with its square
        raise ConfigError(f"{file}: not valid TOML: a key has too many parts")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{file}: not valid TOML: {TOO_DEEP}") from None
    except ValueError:  # of int(): more digits than Python takes
        raise ConfigError(f"{file}: not valid TOML: a number has too many digits{_place(text)}") from None
    _check_sizes(table, file)
    return table


def _place(text: str) -> str:
    """Return the line of the first very long number, in brackets."""
    found = LONG_NUMBER.search(text)
    return f" (at line {text.count(chr(10), 0, found.start()) + 1})" if found else ""


def _check_sizes(table: Mapping[str, Any], file: str) -> None:
    """Raise ConfigError for a whole number so long that nothing takes it, and for tables in tables without end."""
    waiting: list[tuple[Any, str, int]] = [(table, "", 0)]
    while waiting:
        value, place, depth = waiting.pop()
        if depth > MOST_NESTED:
            raise ConfigError(f"{file}: not valid TOML: {TOO_DEEP}")
        if isinstance(value, int) and value.bit_length() > MOST_BITS:
            raise ConfigError(f"{file}, {place}: got a whole number of {value.bit_length():,} bits, need at most 64")
        if isinstance(value, dict):
            waiting += [(item, f"{place}.{key}" if place else key, depth + 1) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(value)]
