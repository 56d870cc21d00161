"""What tells the machine code of one rule in a loop from another's: the hash of its code and options.

Taking the source of a rule and of all that it calls apart costs 10 to 60 ms. Of the package's own, whose code the
cache's folder stands for already, the hash is kept beside the kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from mlpjit.kernels.compiler import jit
from mlpjit.kernels.compiler.cache import remembered
from mlpjit.kernels.entries import Rule
from mlpjit.kernels.sources import home


def key_of(record: Rule) -> str:
    """Return the key of a rule's kernels, without spaces."""
    words = _words(record)
    if words is None:
        return record.source_hash().replace(" ", "-")
    key = f"rule {jit.cache_folder().name} {' '.join(words)}"
    return remembered(key, record.source_hash).replace(" ", "-")


def _words(record: Rule) -> list[str] | None:
    """Return what tells the record from all others made of the same sources; None where a user's code is in it."""
    found = [type(record).__name__]
    for name, value in vars(record).items():
        for each in value if name == "parts" else [value]:
            word = _place(getattr(each, "function", each)) if callable(each) else repr(each)
            if word is None or " at 0x" in word:  # an object known by its address alone
                return None
            found.append(f"{name}={word}")
    return found


def _place(function: Callable[..., Any]) -> str | None:
    """Return where a function of the package's kernels is defined, of a lambda with its code; None for others."""
    rule = getattr(function, "rule", function) if getattr(function, "only_passes_on", False) else function
    if not isinstance(rule, FunctionType) or hasattr(rule, "rule"):
        return None
    found, code = home(rule), rule.__code__
    ours = found is not None and found[0].startswith("kernels/")
    body = repr((code.co_code, code.co_names, code.co_consts)) if code.co_name == "<lambda>" else ""
    return f"{rule.__module__}.{rule.__qualname__}:{code.co_firstlineno} {body}" if ours else None
