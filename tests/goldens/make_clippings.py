"""Golden trajectories of clipping rules, in front of momentum or Adam.

Run where torch, optax and timm are: `PYTHONPATH=tests:. python -m goldens.make_clippings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from goldens import ours
from goldens.records import Golden, golden, save
from goldens.trajectories import INPUTS, RATE, SHAPES, found_alone, optax_path, packed, split

MOMENTUM: dict[str, Any] = {"base": "momentum", "base_settings": {}}
ADAM: dict[str, Any] = {"base": "adam", "base_settings": {"eps": 1e-8, "eps_root": 0.0}}


def torch_path(clip: Callable[[list[Any]], Any]) -> np.ndarray:
    """Return theta after the kept steps of torch's momentum; matrices are torch's, the transpose of ours."""
    import torch

    torch.set_default_dtype(torch.float64)
    tensors = [torch.nn.Parameter(torch.tensor(part.T.copy())) for part in split(INPUTS["theta"])]
    made, path = torch.optim.SGD(tensors, lr=RATE, momentum=0.9), []
    for g in INPUTS["gradients"]:
        for tensor, part in zip(tensors, split(g), strict=True):
            tensor.grad = torch.tensor(part.T.copy())
        clip(tensors)
        made.step()
        path.append(packed(tensor.detach().numpy().T for tensor in tensors))
    return np.stack([path[step - 1] for step in ours.STEPS])


def case(entry: str, settings: dict[str, Any], oracle: str, path: np.ndarray, note: str = "", **given: Any) -> Golden:
    """Return a case: the rule in front of our optimizer given["base"], momentum where it names none."""
    return golden(
        entry, settings, oracle, {"path": path}, given={"learning_rate": RATE, **MOMENTUM, **given}, note=note
    )


def by_torch() -> Iterator[Golden]:
    """What torch and timm have."""
    import torch

    norm, value = torch.nn.utils.clip_grad_norm_, torch.nn.utils.clip_grad_value_
    for limit in (1.0, 0.05):
        settings = {"max_norm": limit, "eps": 1e-6}
        path = torch_path(lambda tensors, m=limit: norm(tensors, m))
        yield case("global_norm", settings, f"torch.nn.utils.clip_grad_norm_({limit})", path)
        path = torch_path(lambda tensors, m=limit: [norm([tensor], m) for tensor in tensors])
        yield case("per_layer_norm", settings, f"torch.nn.utils.clip_grad_norm_({limit})", path, "of each tensor alone")
        path = torch_path(lambda tensors, m=limit: value(tensors, m))
        yield case("value", {"max_value": limit}, f"torch.nn.utils.clip_grad_value_({limit})", path)
    adaptive = found_alone("timm.utils.agc.adaptive_clip_grad")
    for threshold, eps in ((0.01, 1e-3), (0.3, 0.5)):
        path = torch_path(lambda tensors, t=threshold, e=eps: adaptive(tensors, clip_factor=t, eps=e))
        shown = f"timm.utils.agc.adaptive_clip_grad({threshold}, {eps})"
        yield case("adaptive", {"threshold": threshold, "eps": eps}, shown, path)


def by_optax() -> Iterator[Golden]:
    """What optax has."""
    import optax

    def after(clip: Any, shapes: Any = SHAPES) -> np.ndarray:
        rates = [RATE] * max(ours.STEPS)
        return optax_path(lambda r: optax.chain(clip, optax.sgd(r, momentum=0.9)), INPUTS["gradients"], rates, shapes)

    for limit in (1.0, 0.05):
        settings = {"max_norm": limit}
        shown = f"optax.clip_by_global_norm({limit})"
        yield case("global_norm", settings, shown, after(optax.clip_by_global_norm(limit)))
        each = optax.partition({t: optax.clip_by_global_norm(limit) for t in range(3)}, [0, 1, 2])
        yield case("per_layer_norm", settings, shown, after(each), "of each tensor alone")
        one = ((len(INPUTS["theta"]),),)
        path = after(optax.clip_by_block_rms(limit), one)
        settings = {"max_norm": limit * len(INPUTS["theta"]) ** 0.5}
        yield case("per_layer_norm", settings, f"optax.clip_by_block_rms({limit})", path, "of one vector", shapes=one)
        yield case("value", {"max_value": limit}, f"optax.clip({limit})", after(optax.clip(limit)))
    for threshold, eps in ((0.01, 1e-3), (0.3, 0.5)):
        path = after(optax.adaptive_grad_clip(threshold, eps))
        settings = {"threshold": threshold, "eps": eps}
        yield case("adaptive", settings, f"optax.adaptive_grad_clip({threshold}, {eps})", path)


def skipped() -> Iterator[Golden]:
    """Steps left out: some single ones, three in a row, as many as are allowed and one more, which breaks theta."""
    import optax

    gradients = ours.with_errors(INPUTS["gradients"])
    bases = ((MOMENTUM, lambda r: optax.sgd(r, momentum=0.9)), (ADAM, lambda r: optax.adam(r)))
    for base, made in bases:
        for most in (10, 3, 2):
            path = optax_path(
                lambda r, b=made, m=most: optax.apply_if_finite(b(r), m), gradients, [RATE] * len(gradients)
            )
            arrays = {"path": np.nan_to_num(path), "broken": np.isnan(path).astype(float)}
            given, settings = {"learning_rate": RATE, **base}, {"max_consecutive_errors": most}
            shown = f"optax.apply_if_finite({base['base']}, {most})"
            yield golden("skip_non_finite", settings, shown, arrays, given=given)


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    for family in (by_torch, by_optax, skipped):
        yield from family()


if __name__ == "__main__":
    save("clippings", make(), INPUTS)
