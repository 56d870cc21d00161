"""What is wrong in a user's function, told in one line: file, line, the line itself, the problem."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpjit.errors import ConfigError

if TYPE_CHECKING:
    from mlpjit.kernels.compiler.inspection import Finding


class RuleError(ConfigError):
    """What is wrong in a user's code: lines that name file and line already."""


def told(finding: Finding) -> str:
    """Return a finding as a line."""
    path = Path(finding.function.__code__.co_filename)
    line = finding.line or definition(finding.function)
    text = linecache.getline(str(path), line).strip()
    return f"{path.name}, line {line}: `{text}`: {finding.function.__name__} {finding.problem}"


def definition(function: Callable[..., Any]) -> int:
    """Return the line of a function's `def`, behind its decorators."""
    lines, first = inspect.getsourcelines(function)
    return first + next((i for i, line in enumerate(lines) if line.lstrip().startswith("def ")), 0)


def returning(function: Callable[..., Any]) -> int:
    """Return the line of a function's first return statement, 0 where it has none."""
    lines, first = inspect.getsourcelines(function)
    return next((first + i for i, line in enumerate(lines) if line.lstrip().startswith("return")), 0)
