"""The cells: networks and batch sizes on which mlpjit and its peers are timed; digits, cross-entropy, float32."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion

# Long enough to time, short enough that both sides still have the same loss after it.
STEPS = 200
RATES = {"sgd": 0.05, "adam": 1e-3}


@dataclass(frozen=True)
class Cell:
    """depth hidden layers of one width, and how they are trained."""

    depth: int
    width: int
    activation: str
    optimizer: str = "adam"
    batch: int = 64

    @property
    def name(self) -> str:
        """Such as `4x64 relu adam b64`."""
        return f"{self.depth}x{self.width} {self.activation} {self.optimizer} b{self.batch}"

    def epochs(self, samples: int) -> int:
        """Return the epochs of one timed run: about STEPS steps, one epoch at least."""
        return max(1, round(STEPS / -(-samples // self.batch)))


# Those that the speed target is about: geometric mean and worst of them against JAX.
NINE = (
    Cell(4, 16, "tanh"),
    Cell(4, 32, "tanh"),
    Cell(4, 64, "relu"),
    Cell(4, 64, "gelu"),
    Cell(4, 128, "tanh"),
    Cell(4, 256, "tanh"),
    Cell(16, 64, "tanh"),
    Cell(2, 32, "tanh", batch=1),
    Cell(2, 64, "tanh", batch=8),
)
DEPTHS, WIDTHS, BATCHES = (2, 4, 8, 16), (16, 32, 64, 128, 256), (1, 8, 64, 256)
ACTIVATIONS, OPTIMIZERS = ("relu", "tanh", "gelu"), ("sgd", "adam")


def full() -> tuple[Cell, ...]:
    """Return every cell of the wider grid: 480."""
    grid = product(DEPTHS, WIDTHS, ACTIVATIONS, OPTIMIZERS, BATCHES)
    return tuple(Cell(d, w, a, o, b) for d, w, a, o, b in grid)


# 20 of these: every depth with every width, each other value about equally often and beside many of the rest.
WIDE = (
    Cell(2, 16, "relu", "sgd", 1),
    Cell(2, 32, "tanh", "adam", 64),
    Cell(2, 64, "gelu", "sgd", 1),
    Cell(2, 128, "relu", "adam", 64),
    Cell(2, 256, "tanh", "sgd", 1),
    Cell(4, 16, "gelu", "adam", 256),
    Cell(4, 32, "relu", "sgd", 8),
    Cell(4, 64, "tanh", "adam", 256),
    Cell(4, 128, "gelu", "sgd", 8),
    Cell(4, 256, "relu", "adam", 256),
    Cell(8, 16, "tanh", "sgd", 64),
    Cell(8, 32, "gelu", "adam", 1),
    Cell(8, 64, "relu", "sgd", 64),
    Cell(8, 128, "tanh", "adam", 1),
    Cell(8, 256, "gelu", "sgd", 64),
    Cell(16, 16, "relu", "adam", 8),
    Cell(16, 32, "tanh", "sgd", 256),
    Cell(16, 64, "gelu", "adam", 8),
    Cell(16, 128, "relu", "sgd", 256),
    Cell(16, 256, "tanh", "adam", 8),
)


def chosen(grid: str) -> tuple[Cell, ...]:
    """Return the cells of "nine", "wide" (the nine and 20 more) or "full"; ConfigError for another name."""
    grids = {"nine": lambda: NINE, "wide": lambda: NINE + WIDE, "full": full}
    if grid not in grids:
        raise ConfigError(f"unknown grid {grid!r}{suggestion(grid, grids)}")
    return grids[grid]()
