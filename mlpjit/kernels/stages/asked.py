"""What an elementwise rule asks for beside its gradient, from the options of its declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlpjit.errors import ConfigError
from mlpjit.kernels.language import Function, device, written

ARRAYS = 2  # of scratch: the parameters and the first gradient, or the vector and the product
ALONE = ("decays", "momentum_product", "interleave", "scratch", "draws", "samples", "factors")


def asked_of(
    rule: Function, options: Mapping[str, Any], kept: tuple[str, ...], look: Function | None, along: Function | None,
    plain: bool,
) -> dict[str, Any]:  # fmt: skip
    """Return the fields of a stage that say what an elementwise rule asks for; none where that is nothing.

    kept: what the rule takes behind, states and scalars; `plain`: the latter are the rate and the hyperparameters.
    Raises ConfigError for what does not go together.
    """
    name = rule.__name__
    gradients, curvature = options.get("extra_gradients", 0), options.get("curvature", False)
    if not (gradients or curvature or look or along):
        return {}
    if wrong := [key for key in ALONE if options.get(key)]:
        raise ConfigError(f"{name}: {wrong[0]} does not go together with what asks for more than a gradient")
    if bool(gradients or look) == bool(curvature or along):
        raise ConfigError(f"{name}: it asks for a second gradient and for a product: need one of them")
    if curvature or along:
        asked = {"asks": "product", "look": device(along)} if along else {"asks": "diagonal", "draws": True}
        return {**asked, "curvature": True, "extra_gradients": 2, "scratch": ARRAYS}
    if gradients not in (0, 1):
        raise ConfigError(f"{name}: got extra_gradients={gradients!r}, an elementwise rule asks for one more")
    if not (look or plain):
        raise ConfigError(f"{name}: with `scalars` of its own it needs `look`: where is the second gradient taken?")
    point = look or written("a_step", ("theta", "g", *kept), ["return theta - learning_rate * g"], {}, __name__)
    return {"asks": "gradient", "look": device(point), "extra_gradients": 1, "scratch": ARRAYS}
