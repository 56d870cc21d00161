"""What a figure is on the page: its finding in words, its panels, and the key to its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mlpjit.report.charts import svg
from mlpjit.report.style import Look


@dataclass(frozen=True)
class Entry:
    """A line of the key; `competitor` entries can be switched off on the whole page."""

    name: str
    key: str
    look: Look | None = None
    competitor: bool = False

    @property
    def sample(self) -> str:
        """A piece of the line as it is drawn."""
        body = svg.path([(1, 7), (27, 7)], class_="line", stroke_dasharray=svg.dashes(self.look) if self.look else None)
        body += svg.mark(14, 7, self.look.marker) if self.look and self.look.marker else ""
        return f'<svg class="{self.key}" viewBox="0 0 28 14" width="28" height="14" aria-hidden="true">{body}</svg>'


class Key(Protocol):
    """A line of the key: a sample, its name, and what it belongs to."""

    @property
    def name(self) -> str:
        """What it stands for."""

    @property
    def key(self) -> str:
        """The class of what it stands for."""

    @property
    def competitor(self) -> bool:
        """Whether it can be switched off."""

    @property
    def sample(self) -> str:
        """How it looks."""


@dataclass(frozen=True)
class Chart:
    """A figure of the page. `panels` are SVG, `wide` ones take the whole width."""

    finding: str
    panels: list[str]
    legend: Sequence[Key] = field(default_factory=list)
    wide: bool = False
