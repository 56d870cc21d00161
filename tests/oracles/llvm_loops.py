"""Reads LLVM IR as text: which blocks lie on loops that store float32, and which instructions compute in double."""

from __future__ import annotations

import re

DOUBLE = r"(?:double|<\d+ x double>)"
OPERATIONS = rf"(?:fadd|fsub|fmul|fdiv|frem|fneg) (?:[a-z]+ )*{DOUBLE}"
ARITHMETIC = re.compile(rf"= (?:{OPERATIONS}|(?:tail )?call {DOUBLE} @llvm\.|fpext |[su]itofp .* to {DOUBLE})")
STORES_FLOAT = re.compile(r"^\s*store (?:float|<\d+ x float>) ")
LABEL = re.compile(r"^([-\w.$\"]+):")
TARGET = re.compile(r"label %([-\w.$\"]+)")

Blocks = dict[str, list[str]]


def functions(ir: str) -> list[Blocks]:
    """Return label -> instructions of every function that the module defines."""
    found: list[Blocks] = []
    inside = False
    for line in ir.splitlines():
        if line.startswith("define "):
            found.append({"": []})
            label, inside = "", True
        elif line.startswith("}"):
            inside = False
        elif inside:
            head = LABEL.match(line)
            label = head[1] if head else label
            found[-1].setdefault(label, [])
            if not head:
                found[-1][label].append(line)
    return found


def _reachable(successors: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(successors[start])
    while waiting:
        block = waiting.pop()
        if block not in seen:
            seen.add(block)
            waiting += successors.get(block, ())
    return seen


def loops(blocks: Blocks) -> list[list[str]]:
    """Return the instructions of every strongly connected set of blocks: a loop with all inside it."""
    successors = {name: {t for line in lines for t in TARGET.findall(line)} for name, lines in blocks.items()}
    reach = {name: _reachable(successors, name) for name in blocks}
    found, done = [], set()
    for name in blocks:
        if name in reach[name] and name not in done:
            members = [b for b in blocks if b in reach[name] and name in reach[b]]
            done.update(members)
            found.append([line for b in members for line in blocks[b]])
    return found


def _matching(pattern: re.Pattern[str], lines: list[str]) -> list[str]:
    return [line.strip() for line in lines if pattern.search(line)]


def _float_loops(ir: str) -> list[str]:
    found = [loop for blocks in functions(ir) for loop in loops(blocks)]
    return [line for loop in found if any(map(STORES_FLOAT.match, loop)) for line in loop]


def double_arithmetic(ir: str) -> list[str]:
    """Return every instruction that computes in double, or converts numbers to it."""
    return _matching(ARITHMETIC, [line for blocks in functions(ir) for lines in blocks.values() for line in lines])


def double_arithmetic_in_float_loops(ir: str) -> list[str]:
    """Return those of them that lie on a loop that stores float32."""
    return _matching(ARITHMETIC, _float_loops(ir))


def double_arithmetic_in_inner_loops(ir: str) -> list[str]:
    """Return those that lie on a block which is a loop by itself and stores float32: innermost loops."""
    found = []
    for blocks in functions(ir):
        for name, lines in blocks.items():
            if name in {t for line in lines for t in TARGET.findall(line)} and any(map(STORES_FLOAT.match, lines)):
                found += lines
    return _matching(ARITHMETIC, found)


def narrowing_in_float_loops(ir: str) -> list[str]:
    """Return the conversions from double to float32 on such loops: where double comes back to the data."""
    return _matching(re.compile(r"= fptrunc "), _float_loops(ir))


def vector_stores(ir: str) -> int:
    """Return how many stores of whole vectors of float32 or float64 lie on loops."""
    pattern = re.compile(r"^\s*store <\d+ x (?:float|double)>")
    return len(_matching(pattern, [line for blocks in functions(ir) for loop in loops(blocks) for line in loop]))


def overlap_checks(ir: str) -> int:
    """Return how many instructions ask at run time whether arrays overlap, by the names that LLVM gives them."""
    return len(re.findall(r"%(?:diff\.check|found\.conflict)[.\w]* = ", ir))
