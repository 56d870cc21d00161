"""Kernels that call another kernel many times: a call from Python costs more than the small ones take."""

from __future__ import annotations

from functools import cache
from typing import Any

from mlpjit.kernels.language import Kernel, Pointer


@cache
def repeater(parameters: tuple[str, ...], returns: str = "None") -> Kernel:
    """Return the kernel (times, address, *arguments) that calls a function of this signature `times` times."""
    name = "_".join(("repeat", *parameters, returns)).lower()
    given = ", ".join(f"a{i}" for i in range(len(parameters)))
    scope: dict[str, Any] = {"call": Pointer("call", parameters, returns), "__name__": __name__}
    text = f"def {name}(times, address, {given}):\n    for _ in range(times):\n        call(address, {given})\n"
    exec(compile(text, __file__, "exec"), scope)
    return Kernel(name, scope[name], ("Int", "Int", *parameters))
