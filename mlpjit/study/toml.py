"""TOML of a study as plain data; what Python's parser would end with a traceback is one line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from mlpjit.errors import ConfigError

MOST_BITS = 128  # of a whole number: more than anything takes, and still printed in a line
LONG_NUMBER = re.compile(r"[0-9_]{1000,}")


def read_toml(text: str, file: str) -> dict[str, Any]:
    """Return the tables of a study file. Raises ConfigError that names the file and the line or the key."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{file}: not valid TOML: brackets are nested too deeply") from None
    except ValueError:  # of int(): more digits than Python takes
        raise ConfigError(f"{file}: not valid TOML: a number has too many digits{_place(text)}") from None
    _check_sizes(table, file, "")
    return table


def _place(text: str) -> str:
    """Return the line of the first very long number, in brackets."""
    found = LONG_NUMBER.search(text)
    return f" (at line {text.count(chr(10), 0, found.start()) + 1})" if found else ""


def _check_sizes(value: Any, file: str, place: str) -> None:
    """Raise ConfigError for a whole number so long that nothing takes it."""
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise ConfigError(f"{file}, {place}: got a whole number of {value.bit_length():,} bits, need at most 64")
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_sizes(item, file, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_sizes(item, file, f"{place}[{index}]")
