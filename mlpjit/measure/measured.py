"""What a case took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlpjit.measure.harness import Part
from mlpjit.measure.readings import Limit, Reading
from mlpjit.measure.scaling import Scaling
from mlpjit.measure.startup import Start


@dataclass
class Measured:
    """What was measured, section by section; what was not asked for is empty."""

    host: dict[str, Any]
    load: float
    limits: list[Limit] = field(default_factory=list)
    kernels: list[Reading] = field(default_factory=list)
    steps: list[Reading] = field(default_factory=list)
    compile: list[Start] = field(default_factory=list)
    threads: list[Scaling] = field(default_factory=list)
    harness: list[Part] = field(default_factory=list)
