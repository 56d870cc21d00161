"""Optimizer files that do what none should: by name their text, to be tried by `own_rules.py`."""

from __future__ import annotations

GOOD = """
from mlpjit.extending import elementwise
@elementwise
def mine(g, learning_rate):
    return learning_rate * g
"""
LAYERS = """
from mlpjit.extending import layerwise, load, store
@layerwise
def mine(rows, columns, params, grads, step, learning_rate):
{}
    for i in range(rows * columns):
        store(params, i, load(params, i) - learning_rate * load(grads, i))
"""
# What a file does when it is imported, in front of a rule that is right.
AT_IMPORT = {
    "exits with 0": "import os; os._exit(0)",
    "exits with 3": "import os; os._exit(3)",
    "sys.exit": "import sys; sys.exit(0)",
    "sys.exit with a text": "import sys; sys.exit('bye')",
    "raises SystemExit": "raise SystemExit",
    "raises KeyboardInterrupt": "raise KeyboardInterrupt",
    "raises GeneratorExit": "raise GeneratorExit",
    "raises": "raise ValueError('no')",
    "raises an error with lines": "raise ValueError('a\\nb\\nc')",
    "raises an error of its own": "class Mine(Exception): pass\nraise Mine(object())",
    "segfaults": "import ctypes; ctypes.string_at(0)",
    "aborts": "import os; os.abort()",
    "kills itself": "import os; os.kill(os.getpid(), 9)",
    "terminates itself": "import os; os.kill(os.getpid(), 15)",
    "interrupts itself": "import os; os.kill(os.getpid(), 2)",
    "stack overflow": "import sys; sys.setrecursionlimit(10**8)\ndef f(): return f() + 1\nf()",
    "recursion": "def f(): return f()\nf()",
    "changes the folder": "import os; os.chdir('/')",
    "removes numpy.isfinite": "import numpy; numpy.isfinite = None",
    "replaces numpy.sum": "import numpy; numpy.sum = lambda *a, **k: 7",
    "replaces numpy.zeros": "import numpy; numpy.zeros = numpy.ones",
    "seeds": "import random, numpy; random.seed(1); numpy.random.seed(1)",
    "prints": "print('{\"not\": \"json\"')",
    "prints much": "print('x' * 10**6)",
    "writes to 1": "import os; os.write(1, b'{}')",
    "closes stdout": "import sys; sys.stdout.close()",
    "closes 1": "import os; os.close(1)",
    "closes 2": "import os; os.close(2)",
    "closes all": "import os; os.closerange(3, 1024)",
    "never ends": "while True: pass",
    "sleeps": "import time; time.sleep(1e6)",
    "never ends and ignores signals":
        "import signal\nfor n in (2, 15): signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
    "starts a thread": "import threading, time; threading.Thread(target=time.sleep, args=(1e6,)).start()",
    "starts a process": "import subprocess; subprocess.Popen(['sleep', '1000'])",
    "forks": "import os; os.fork()",
    "forks and waits": "import os, time\nif os.fork() == 0: time.sleep(1000)",
    "ignores signals": "import signal; signal.signal(15, signal.SIG_IGN)",
    "an alarm": "import signal; signal.alarm(1)",
    "reads": "input()",
    "reads all": "import sys; sys.stdin.read()",
    "clears the environment": "import os; os.environ.clear()",
    "clears the modules": "import sys; sys.modules.clear()",
    "removes open": "import builtins; del builtins.open",
    "removes print": "import builtins; builtins.print = None",
    "too much memory": "import numpy; numpy.ones(10**15)",
    "little memory": "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))",
    "few files": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))",
    "little time": "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1))",
    "exits at the end": "import atexit, os; atexit.register(os._exit, 9)",
    "warnings are errors": "import warnings; warnings.simplefilter('error')",
    "no compiler": "import numba; numba.config.DISABLE_JIT = 1",
    "imports what is missing": "import no_such_module",
}  # fmt: skip
RULES = {
    "a loop without end from the fifth step": "    while step > 4:\n        store(params, 0, load(params, 0))",
    "a loop without end": "    while step > 0:\n        store(params, 0, load(params, 0))",
    "prints in compiled code": "    print(step)",
    "raises in compiled code": "    if step > 4:\n        raise ValueError",
    "asserts in compiled code": "    assert step < 5",
    "writes out of bounds": "    if step > 4:\n        store(params, 1 << 50, load(params, 0))",
    "divides by zero": "    store(params, 0, load(params, 0) / (load(grads, 0) * 0))",
    "whole numbers divided by zero": "    if step > 4:\n        store(params, rows // (step - step), load(params, 0))",
    "becomes NaN": "    if step > 4:\n        store(params, 0, load(params, 0) / (load(params, 0) - load(params, 0)))",
}
FILES = {
    **{name: f"{text}\n{GOOD}" for name, text in AT_IMPORT.items()},
    **{name: LAYERS.format(text) for name, text in RULES.items()},
    "empty": "",
    "no Python": "def f(:",
    "a zero byte": "x = 1\0",
    "a setting of its own": "class Mine(float): pass\n" + GOOD.replace("@elementwise", "@elementwise(b=Mine(1))"),
    "a space of its own": "class Mine(dict): pass\nSPACES = {'mine': Mine()}\n" + GOOD,
}
