"""What `docs/experiments.md` shows runs as it stands there, and prints what is shown."""

from __future__ import annotations

import linecache
import re
import sys
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).parents[2] / "docs" / "experiments.md"
SHOWN = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)


def test_the_page_prints_what_it_shows(capsys, monkeypatch):
    module = ModuleType("experiments_page")  # where Numba looks for the globals of what it has compiled
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for number, (code, text) in enumerate(SHOWN.findall(PAGE.read_text(encoding="utf-8"))):
        file = f"{PAGE.name} {number}"
        linecache.cache[file] = len(code), None, code.splitlines(keepends=True), file  # as a notebook does
        exec(compile(code, file, "exec"), vars(module))
        assert capsys.readouterr().out == text, code
