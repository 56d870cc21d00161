"""What a normalization is: the kernels that act around a layer's product, their C signatures, and the registry.

Each acts on one layer, whose row of the table says where everything stands. Pairs act on values and their directional
derivatives together (`pairs`); `layer` and `moved` are rows of the two tables there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mlpjit.kernels.entries import Rule
from mlpjit.kernels.language import Int, Ints, Kernel, Reals, device, float64s, load, pointer, real
from mlpjit.kernels.tables import LAYER
from mlpjit.registry import Registry


class Acts(NamedTuple):
    """What a normalization does to W before the products, to z, to delta, to dW: columns of a layer's row."""

    reweigh: Kernel | None = None
    normalize: Kernel | None = None
    normalize_back: Kernel | None = None
    reweigh_back: Kernel | None = None


NOTHING = Acts()


@device
def eps_of(layer):
    """Return what is added to a variance, or to a mean square, before its root is taken."""
    return real(load(float64s(layer, LAYER.eps), 0))


@dataclass(frozen=True, eq=False)
class Normalization(Rule):
    """What stands between W and the activation of every hidden layer.

    `acts` are the kernels of `call_reweigh`, `call_normalize`, `call_normalize_back` and `call_reweigh_back`, `pairs`
    those of their tangents. `tensors`: what it adds to a layer's parameters. `running`: it keeps running statistics,
    and one sample alone has none.
    """

    acts: Acts = NOTHING
    pairs: Acts = NOTHING
    tensors: tuple[str, ...] = ()
    running: bool = False

    def __post_init__(self) -> None:
        kernels = tuple(each.function for each in (*self.acts, *self.pairs) if each is not None)
        object.__setattr__(self, "parts", (*self.parts, *kernels))


normalizations: Registry[Normalization] = Registry("normalization")


@pointer
def call_reweigh(layer: Ints, params: Reals, workspace: Reals) -> None:
    """Write the W that the products read, packed, to EFFECTIVE_AT."""


@pointer
def call_normalize(rows: Int, training: Int, layer: Ints, params: Reals, running: Reals, workspace: Reals) -> None:
    """Normalize z in place. With `training` keep what the way back needs, and move running statistics."""


@pointer
def call_normalize_back(rows: Int, layer: Ints, params: Reals, grads: Reals, workspace: Reals) -> None:
    """Delta at the output of `call_normalize` becomes delta at z; write the gradients of its own parameters."""


@pointer
def call_reweigh_back(layer: Ints, params: Reals, grads: Reals, workspace: Reals) -> None:
    """The gradient by the W of `call_reweigh` becomes that by the stored W; write those of its own parameters."""


@pointer
def call_reweigh_pair(layer: Ints, moved: Ints, params: Reals, vector: Reals, workspace: Reals) -> None:
    """Write R of the W that the products read, packed, to EFFECTIVE_AT of `moved`."""


@pointer
def call_normalize_pair(
    rows: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, z: Reals, workspace: Reals
) -> None:
    """Normalize z and Rz, with the batch's own statistics; the running ones stay as they are."""


@pointer
def call_normalize_back_pair(
    rows: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, product: Reals, workspace: Reals
) -> None:
    """Delta and R delta at the output become those at z; write R of the gradients of its own parameters."""


@pointer
def call_reweigh_back_pair(
    layer: Ints, moved: Ints, params: Reals, vector: Reals, product: Reals, workspace: Reals
) -> None:
    """R of the gradient by the W of `call_reweigh`, at W's place of `product`, becomes R of that by the stored W.

    The gradient itself stands at EFFECTIVE_AT. Write R of the gradients of its own parameters.
    """
