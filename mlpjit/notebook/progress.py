"""How far a study is, below the cell that runs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlpjit.display import number

if TYPE_CHECKING:
    from mlpjit.study.progress import Snapshot


def in_notebook() -> bool:
    """Say whether this process is the kernel of a notebook."""
    return "ipykernel" in sys.modules


def bar() -> Callable[[Snapshot], None]:
    """Display a bar, and return what moves it."""
    shown: Any = import_module("IPython.display")
    handle = shown.display(shown.HTML("preparing"), display_id=True)
    return lambda snapshot: handle.update(shown.HTML(text(snapshot)))


def text(snapshot: Snapshot) -> str:
    """Return a bar and the facts beside it, as HTML."""
    facts = f"{snapshot.stage}: {snapshot.done:,} of {snapshot.total:,}"
    if snapshot.preparing and not snapshot.done:
        facts += f", compiling {snapshot.preparing}"
    if snapshot.best_loss is not None:
        facts += f", best {number(snapshot.best_loss)} ({snapshot.best_label})"
    facts += f", {snapshot.diverged:,} diverged" if snapshot.diverged else ""
    return f'<progress max="{max(snapshot.total, 1)}" value="{snapshot.done}"></progress> {escape(facts)}'
