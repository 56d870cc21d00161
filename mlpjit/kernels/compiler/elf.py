"""The symbols of a relocatable object: what it defines for others, and what others have to define."""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAGIC = b"\x7fELF\x02\x01"  # 64 bits, the lowest byte first
SECTION, SYMBOL = struct.Struct("<IIQQQQIIQQ"), struct.Struct("<IBBHQQ")
SYMBOLS = 2  # the type of the section
LOCAL, UNDEFINED, COMMON = 0, 0, 0xFFF2


def symbols(data: bytes) -> tuple[set[str], set[str]] | None:
    """Return the names that an object lacks, and those that it alone may define; None where it is no such file.

    What is defined in common (Numba's environments) may be defined by others too.
    """
    if not data.startswith(MAGIC):
        return None
    lacking, defined = set[str](), set[str]()
    for name, bound, section in _symbols(data):
        if name and bound != LOCAL and section != COMMON:
            (lacking if section == UNDEFINED else defined).add(name)
    return lacking, defined


def _symbols(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield the name of every symbol, how it is bound, and its section."""
    (start,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [SECTION.unpack_from(data, start + size * number) for number in range(count)]
    for section in sections:
        if section[1] == SYMBOLS:
            names = sections[section[6]][4]
            for at in range(section[4], section[4] + section[5], SYMBOL.size):
                name, info, _, where, _, _ = SYMBOL.unpack_from(data, at)
                yield data[names + name : data.index(b"\0", names + name)].decode(), info >> 4, where
