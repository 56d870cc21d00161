"""What `docs/experiments.md` shows runs as it stands there, and prints what is shown."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "experiments.md"
SHOWN = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)


def test_the_page_prints_what_it_shows(capsys):
    names: dict[str, object] = {}
    for code, text in SHOWN.findall(PAGE.read_text(encoding="utf-8")):
        exec(compile(code, PAGE.name, "exec"), names)
        assert capsys.readouterr().out == text, code
