"""What the compiler says of a user's function, in words of the language that rules are written in."""

from __future__ import annotations

import re

# The beginnings of what is meant for users, and what is told in the place of the rest.
OURS = ("store of ", "the rule returns states")
COLOURS = re.compile(r"\x1b\[[\d;]*m")
SIGNS = {
    "add": "+", "iadd": "+", "sub": "-", "isub": "-", "mul": "*", "imul": "*", "truediv": "/", "itruediv": "/",
    "floordiv": "//", "mod": "%", "pow": "**", "neg": "-", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==",
    "ne": "!=", "and_": "&", "or_": "|", "getitem": "[...]", "setitem": "[...] =", "contains": "in",
}  # fmt: skip
ALLOWED = "numbers, if, for i in range(...), while, and what mlpjit.extending has may stand in a rule"


def reworded(error: BaseException) -> str:
    """Return what is wrong, behind "cannot be compiled: ", in one line without a word of the compiler's own."""
    text = COLOURS.sub("", str(error))
    return "cannot be compiled: " + (_ours(text) or _of_types(text) or _of_names(text) or ALLOWED)


def _ours(text: str) -> str:
    """Return the sentence that a primitive of this package has for it."""
    lines = (line.strip().partition(". Raised from")[0] for line in text.splitlines())
    return next((line for line in lines if line.startswith(OURS)), "")


def _of_types(text: str) -> str:
    """Return which operation does not take what it is given, or which variable is of two kinds."""
    if found := re.search(r">>> (.*?)\((.*)\)", text):
        given = " and ".join(dict.fromkeys(map(_kind, _split(found[2]))))
        name = re.sub(r"^<built-in function (.*)>$", r"\1", found[1]).rpartition(".")[2]
        return f"{SIGNS.get(name, name)} does not take {given or 'nothing'}"
    if found := re.search(r"[Cc]annot unify (.*?) and (.*?) for '(\w+)", text):
        kinds = " and ".join(dict.fromkeys((_kind(found[1]), _kind(found[2]))))
        return f"{found[3].partition('.')[0]} has two kinds of value, {kinds}: begin with real(0.0) where it says 0"
    if found := re.search(r"Can't unify return type", text):
        return "it returns values of different kinds, or none, on different ways: return the same number of them on all"
    return ""


def _of_names(text: str) -> str:
    """Return which name is not there, or which call has another number of arguments."""
    if found := re.search(r"Unknown attribute '(\w+)' of type (.*)", text):
        return f".{found[1]} is not to be had of {_kind(found[2])}"
    if found := re.search(r"[Nn]ame '(\w+)' is not defined", text):
        return f"{found[1]} is not defined"
    if re.search(r"missing a required argument|too many positional arguments|unexpected keyword", text):
        return "it calls a function with another number of arguments than that takes"
    if found := re.search(r"[Vv]ariable '?(\w+)'? referenced before assignment", text):
        return f"{found[1]} is read before it has a value"
    return ""


def _split(text: str) -> list[str]:
    """Return the parts of a list of types, which may have commas of their own in brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{<") - (letter in ")]}>")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _kind(text: str) -> str:
    """Return a type in words."""
    for pattern, word in KINDS.items():
        if re.match(pattern, text):
            return word
    return "something that is no number"


KINDS = {
    r"(Literal\[int\]\(.*\)|u?int\d+|bool(ean)?|float\d+|\*?float|int)$": "a number",
    r"(unicode_type|Literal\[str\]|str\b|bytes|UnicodeCharSeq)": "a text", r"none": "nothing",
    r"(UniTuple|Tuple|NamedTuple)": "several numbers", r"complex": "a complex number",
    r"(array|Array|readonly|unaligned)": "an array", r"(list|reflected|set|Dict)": "a list",
    r"(CPointer|float\d+\*|int\d+\*)": "a place in memory: load(x, i) gives its numbers",
    r"(Module|type\(|class)": "no number",
    r"(CPUDispatcher|type\(CPUDispatcher|Function)": "a function: call it",
}  # fmt: skip
