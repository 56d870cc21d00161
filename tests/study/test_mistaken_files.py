"""What people write wrongly: one line that quotes theirs and says what to do, without a word of what is underneath."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.errors import ConfigError
from mlpjit.extending import files
from mlpjit.extending.words import forbidden
from mlpjit.interactive.checks import problems
from mlpjit.kernels.stages.declare import plain_scalars
from mlpjit.kernels.stages.named_arguments import inner

INTERNALS = re.compile(
    r"numba|llvm|scipy|<class|<built-in|signature|typing|dispatcher|unituple|lowering|nopython|unicode_type|literal\["
    r"|own_entries|traceback|/mlpjit/|frozenset|0x[0-9a-f]{6}|kernel types|__\w+__",
    re.IGNORECASE,
)
pytestmark = pytest.mark.usefixtures("own_records_are_forgotten")
GOOD = """
import math
import numpy as np
from mlpjit.extending import activation, elementwise, fma, initializer, loss, schedule, sqrt

TABLE, CHOSEN, NAMED = np.array([0.5, 0.25]), [0.5, 0.25], {"a": 0.5}
LARGE, PART = np.ones(200_000), np.ones(8)[::2]
def plain(x):
    return 2.0 * x

@elementwise(state=("mu",), momentum=0.9)
def mine(g, mu, learning_rate, momentum):
    mu = fma(momentum, mu, (1.0 - momentum) * g)
    return learning_rate * mu, mu
"""
RETURN = "    return learning_rate * mu, mu"
# ruff: noqa: E501  (a table)
# A change, the line that is quoted, and what is said of it.
RULES = {
    "exp of NumPy": ("(1.0 - momentum) * g", "np.exp(g)", "np.exp", "uses np.exp: use exp of mlpjit.extending"),
    "linear algebra": ("(1.0 - momentum) * g", "np.linalg.norm(g)", "np.linalg", "use products and factorizations"),
    "exp of math": ("(1.0 - momentum) * g", "math.exp(g)", "math.exp", "uses math.exp: use exp of mlpjit.extending"),
    "zeros of NumPy": (RETURN, f"    x = np.zeros(3)\n{RETURN}", "x = np", "use a state or scratch"),
    "an f-string": (RETURN, f"    x = f'{{g}}'\n{RETURN}", "x = f", "makes a text: it works with numbers alone"),
    "a text": (RETURN, f"    x = 'a'\n{RETURN}", "x = 'a'", "holds a text"),
    "a dictionary": (RETURN, f"    x = {{1: g}}\n{RETURN}", "x = {", "makes a dictionary: keep numbers in variables"),
    "a list": (RETURN, f"    x = [g, mu]\n{RETURN}", "x = [", "makes a list"),
    "a comprehension": (RETURN, f"    x = [g for _ in range(3)]\n{RETURN}", "x = [", "makes a list"),
    "print": (RETURN, f"    print(g)\n{RETURN}", "print(g)", "calls print, which compiled code cannot: take it out"),
    "sorted": (RETURN, f"    x = sorted((g, mu))\n{RETURN}", "x = sorted", "calls sorted, which compiled code cannot"),
    "try": (RETURN, f"    try:\n        g = g / mu\n    except ZeroDivisionError:\n        g = 0.0\n{RETURN}",
            "try:", "catches errors: nothing in it raises any"),
    "recursion": (RETURN, "    return mine(g, mu, learning_rate, momentum)", "return mine", "calls itself"),
    "a longer tuple": (RETURN, f"{RETURN}, g", "return", "returns 3, need 2: the update, mu"),
    "a shorter tuple": (RETURN, "    return learning_rate * mu", "return", "returns 1, need 2: the update, mu"),
    "no return": (RETURN, "    learning_rate * mu", "def mine", "returns nothing, need 2: the update, mu"),
    "a return on one way alone": (RETURN, "    if g > 0.0:\n        return learning_rate * mu, mu", "",
                                  "returns something on one way and nothing on another"),
    "other names": ("g, mu, learning_rate", "grad, mu, lr", "mu = fma", "uses g, which is not defined"),
    "one argument less": ("g, mu, learning_rate, momentum)", "g, mu, learning_rate)", "mu = fma", "uses momentum, which"),
    "a default that is missing": (', momentum=0.9)', ")", "def mine", "with its default, as momentum=0.9"),
    "a state that is missing": ('state=("mu",), ', "", "def mine", "takes mu, which its decorator does not declare"),
    "a state that is no tuple": ('state=("mu",)', 'state="mu"', "", "state='mu': need a tuple of names, as state=('mu',)"),
    "an undeclared state": (RETURN, "    return learning_rate * nu, mu", "return", "uses nu, which is not defined"),
    "a name that is not imported": ("fma(", "power(", "power(", "power, which is not imported: from mlpjit.extending"),
    "a global array": ("(1.0 - momentum) * g", "TABLE[0] * g", "TABLE", "computes in double, not float32"),
    "a large array": ("(1.0 - momentum) * g", "LARGE[0] * g", "def mine", "reads LARGE, an array of 1.6 MB: compiled code"),
    "a part of an array": ("(1.0 - momentum) * g", "PART[0] * g", "def mine", "reads PART, a part of another array: write"),
    "a global list": ("(1.0 - momentum) * g", "CHOSEN[0] * g", "CHOSEN", "reads CHOSEN, a list: write a tuple"),
    "a global dictionary": ("(1.0 - momentum) * g", "NAMED['a'] * g", "NAMED", "reads NAMED, a dict"),
    "whole numbers divided": ("(1.0 - momentum)", "(7 // 2)", "7 // 2", "write 1.0 where it says 1"),
    "a complex number": ("(1.0 - momentum)", "1j", "1j", "holds a complex number"),
    "an attribute": ("(1.0 - momentum) * g", "g.sum()", "g.sum", "asks for g.sum: g is a number"),
    "a subscript": ("(1.0 - momentum) * g", "g[0]", "g[0]", "takes g[...]: write load(g, i)"),
    "a function of another length": ("(1.0 - momentum) * g", "plain(g, g)", "plain", "another number of arguments"),
    "yield": (RETURN, "    yield learning_rate * mu, mu", "yield", "yields: return all that there is to return"),
    "lambda": (RETURN, f"    f = lambda x: x\n{RETURN}", "f = lambda", "defines a function inside: define it at the top"),
    "a function inside": (RETURN, f"    def f(x):\n        return x\n{RETURN}", "def f", "defines a function inside"),
    "a global that is changed": (RETURN, f"    global mean\n    mean = g\n{RETURN}", "global", "changes a global"),
    "a loop over an argument": (RETURN, f"    for x in g:\n        mu += x\n{RETURN}", "for x", "goes through g: write for i"),
    "with": (RETURN, f"    with open('x'):\n        g = 1.0\n{RETURN}", "with", "opens a context"),
    "an import inside": (RETURN, f"    import math\n{RETURN}", "import math", "imports inside: import at the top"),
    "any number of arguments": ("g, mu, learning_rate, momentum)", "*given)", "def mine", "takes arguments by *"),
    "two kinds of value": (RETURN, "    x = g\n    if g > 0.0:\n        x = (g, g)\n    return x, mu", "", "two kinds of value, a number and several"),
    "a class": ("@elementwise", "@elementwise\nclass Mine:\n    pass\n@elementwise", "@elementwise", "Mine is a class, need a"),
    "a number": ("@elementwise", "elementwise(3)\n@elementwise", "elementwise(3)", "3 is a int, need a function"),
    "a text for a hyperparameter": ("momentum=0.9", "momentum='a'", "@elementwise", "hyperparameters are numbers"),
    "no module": ("import math", "import no_such_module", "import no", "there is no module 'no_such_module' here"),
    "no such name": ("fma, ", "fmaa, ", "from mlpjit", "mlpjit.extending has no 'fmaa': did you mean 'fma'?"),
    "no decorator imported": ("elementwise, ", "", "@elementwise", "elementwise is not imported: from mlpjit.extending"),
    "a syntax error": ("def mine(g", "def mine(g g", "def mine", "syntax"),
    "a bracket": ("* g)", "* g", "mu = fma", "was never closed"),
    "a built-in name": ("def mine(", "def adam(", "@elementwise", "optimizer 'adam' is built in: give yours another name"),
}  # fmt: skip
OTHERS = {
    "a wrong slope": ("@activation\ndef bent(z):\n    return z * z, z", "return z", "a df that is not the derivative of f: at z"),
    "one value": ("@activation\ndef bent(z):\n    return z * z", "return z", "returns 1, need f and df, or f, df and d2f"),
    "whole numbers": ("@activation\ndef bent(z):\n    return z, 1", "return z, 1", "returns int64, need float64: write 1.0"),
    "an undeclared parameter": ("@activation\ndef bent(z, a):\n    return z, 1.0", "def bent", "takes z, a, need z"),
    "NaN": ("@activation\ndef bent(z):\n    return sqrt(z), 0.5 / sqrt(z)", "return", "writes NaN or infinity at z = -5.99"),
    "tanh of NumPy": ("@activation\ndef bent(z):\n    return np.tanh(z), z", "return", "uses np.tanh: use tanh of mlpjit"),
    "a name of the catalogue": ("@activation\ndef relu(z):\n    return z, 1.0 + 0.0 * z", "@activation", "'relu' is built in"),
    "a wrong gradient": ("@loss\ndef far(output, target):\n    d = output - target\n    return d * d, d", "return",
                         "a gradient that is not the derivative of the value: at output"),
    "a loss of one value": ("@loss\ndef far(output, target):\n    return output", "return", "returns 1, need value and grad"),
    "a falling rate": ("@schedule\ndef down(step, total):\n    return -1.0 * step", "return", "gives -1 at step 1 of 7, need 0"),
    "rates by NumPy": ("@schedule\ndef down(step, total):\n    return np.cos(step)", "return", "uses np.cos: use cos of"),
    "a shape": ("@initializer\ndef w(draw):\n    return draw.normal().T", "return", "returns (3, 7) for 7 inputs and 3 outputs"),
    "no shape": ("@initializer\ndef w(draw):\n    return 0.0", "return", "returns () for 7 inputs"),
    "no numbers": ("@initializer\ndef w(draw):\n    return draw.normal() / 0.0", "return", "returns NaN or infinity"),
}  # fmt: skip


def told(path: Path, text: str) -> str:
    """Return what is said of a file, in one line."""
    path.write_text(text)
    try:
        file = files.load(path)
        (line,) = problems(file.entries, ["float32"])
    except ConfigError as error:
        (line,) = error.problems
    return line


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
@pytest.mark.parametrize("name", [*RULES, *OTHERS])
def test_a_mistake_is_told_without_internals(name: str, tmp_path: Path) -> None:
    if name in RULES:
        old, new, quoted, said = RULES[name]
        assert old in GOOD
        text = GOOD.replace(old, new)
    else:
        declared, quoted, said = OTHERS[name]
        text = f"{GOOD.partition('@elementwise')[0]}{declared}\n"
    line = told(tmp_path / "mine.py", text)
    assert re.match(r"mine\.py, line \d+: `", line), line
    assert quoted in line.split("`")[1], line
    assert said in line, line
    assert not INTERNALS.search(line.replace(str(tmp_path), "")), line
    assert "\n" not in line


def test_the_rules_of_the_package_are_written_in_what_is_allowed() -> None:
    kinds = ("optimizers", "wrappers", "clippings", "activations", "losses", "schedules")
    functions = {
        getattr(each, "function", each): record.name
        for kind in kinds
        for record in REGISTRIES[kind].records()
        for each in (inner(record.function), *record.parts)
        if each is not plain_scalars
    }
    assert len(functions) > 100
    assert [(name, each.problem) for function, name in functions.items() for each in forbidden(function)] == []
