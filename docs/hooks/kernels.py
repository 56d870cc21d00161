"""A line that names a file and functions of it is followed by their code, folded: what is read is what is run."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from textwrap import indent
from typing import Any

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"^`(mlpjit/[\w/]+\.py)`: ((?:`\w+`(?:, )?)+)$", re.MULTILINE)


def named(markdown: str) -> list[tuple[str, list[str]]]:
    """Files and the functions that a page names of them."""
    return [(path, re.findall(r"\w+", names)) for path, names in LINE.findall(markdown)]


def code(path: str, name: str) -> str:
    """The text of a function or class, decorators included; a KeyError where there is none of that name."""
    text = (ROOT / path).read_text(encoding="utf-8")
    kinds = (ast.FunctionDef, ast.ClassDef)
    nodes = {node.name: node for node in ast.parse(text).body if isinstance(node, kinds)}
    node = nodes[name]
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def unfolded(found: re.Match[str]) -> str:
    """The line, and the code it names."""
    path, names = found.groups()
    parts = "\n\n\n".join(code(path, name) for name in re.findall(r"\w+", names))
    title = f"{names.replace('`', '')} in {path}"
    return f'??? quote "{title}"\n' + indent(f"```python\n{parts}\n```", "    ")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called with each page's text."""
    return LINE.sub(unfolded, markdown)
