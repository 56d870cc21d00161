"""Golden cases of Shampoo, SOAP and PSGD.

Gradients are of less varied size (`power`): of moments that differ by 10^16 the small ones are rounding in any code.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from goldens.records import Golden
from goldens.trajectories import SHAPES, case

from mlpjit.kernels.arithmetic.random import normals

LIKE = {"power": 0.25}
# Two tall matrices, of as many numbers in all as the shapes of other cases.
TALL = ((6,), (5, 4), (5, 2))


def shampoos() -> Iterator[Golden]:
    """Shampoo of both packages as in the paper; torchzero begins its sums at 1, the other at eps."""
    for eps in (1e-4, 0.1):
        for more in ({}, {"decay": 0.1}, {"shapes": TALL}):
            yield case("shampoo", {"eps": eps}, "pytorch_optimizer.Shampoo", {"matrix_eps": eps}, **LIKE, **more)
    for every in (1, 3):
        mine = {"eps": 1.0, "precondition_frequency": every}
        theirs = {"reg": 0.0, "precond_freq": every, "merge_small": False}
        for shapes in (SHAPES, TALL):
            yield case("shampoo", mine, "torchzero.modules.Shampoo", theirs, zero_shampoo, **LIKE, shapes=shapes)


def zero_shampoo(tensors: Any, lr: float, **theirs: Any) -> Any:
    """torchzero's module, followed by the rate."""
    import torchzero

    return torchzero.Optimizer(tensors, torchzero.m.Shampoo(**theirs), torchzero.m.LR(lr))


def soaps() -> Iterator[Golden]:
    """SOAP of both packages in double, with the null space's basis of ours, which neither fixes."""
    note = "no casts to float32; the first null space's basis as ours"
    betas = (0.95, 0.95, 0.95), (0.5, 0.9, 0.8), (0.9, 0.99, 0.9)
    for (b1, b2, b), eps, every in zip(betas, (1e-8, 1e-3, 1e-8), (10, 1, 3), strict=True):
        mine = {"b1": b1, "b2": b2, "shampoo_beta": b, "eps": eps, "precondition_frequency": every}
        theirs = {
            "betas": (b1, b2),
            "shampoo_beta": b,
            "eps": eps,
            "precondition_frequency": every,
            "weight_decay": 0.0,
        }
        for more in ({"decay": 0.1}, {"shapes": TALL}):
            yield case("soap", mine, "pytorch_optimizer.SOAP", theirs, SoapInDouble, note, **LIKE, **more)
        if every == 1:
            theirs = {
                "beta1": b1,
                "beta2": b2,
                "shampoo_beta": b,
                "eps": eps,
                "precond_freq": 1,
                "precondition_1d": False,
            }
            more_note = f"{note}; its first step taken back, its rates corrected for the bias from step 2 on"
            for shapes in (SHAPES, TALL):
                yield case("soap", mine, "torchzero.modules.SOAP", theirs, ZeroSoap, more_note, **LIKE, shapes=shapes)


def torch_with(**replaced: Any) -> Any:
    """Return torch with some names replaced."""
    import torch

    return SimpleNamespace(**{**vars(torch), **replaced})


def fixed_eigh(matrix: Any) -> Any:
    """torch.linalg.eigh; where the kth eigenvalue from the largest is 0, the unit vector k, made orthogonal."""
    import torch

    values, vectors = torch.linalg.eigh(matrix)
    null = (values.flip(0) <= len(matrix) * 2.0**-52 * values.max())[None, :]
    chosen = torch.where(null, torch.eye(len(matrix)), vectors.flip(1))
    return values, torch.linalg.qr(chosen)[0].flip(1)


class Stepped:
    """An optimizer whose step is taken with names of its module replaced."""

    def __init__(self, made: Any, module: str, **replaced: Any) -> None:
        self.made, self.module, self.replaced = made, importlib.import_module(module), replaced
        self.param_groups = made.param_groups

    def step(self) -> None:
        """Take a step."""
        with patch.multiple(self.module, **self.replaced):
            self.made.step()


class SoapInDouble(Stepped):
    """pytorch_optimizer's."""

    def __init__(self, tensors: Any, lr: float, **theirs: Any) -> None:
        import pytorch_optimizer
        import torch

        linalg = SimpleNamespace(**{**vars(torch.linalg), "eigh": fixed_eigh})
        double = torch_with(float32=torch.float64, linalg=linalg)
        made = pytorch_optimizer.SOAP(tensors, lr=lr, **theirs)
        super().__init__(made, "pytorch_optimizer.optimizer.soap", torch=double)


class ZeroSoap(Stepped):
    """torchzero's; it moves in its first step, and counts it in the correction of the bias."""

    def __init__(self, tensors: Any, lr: float, beta1: float, beta2: float, **theirs: Any) -> None:
        import torch
        import torchzero

        self.tensors, self.rate, self.betas, self.taken = tensors, lr, (beta1, beta2), 0
        self.module_rate = torchzero.m.LR(lr)
        soap = torchzero.m.SOAP(beta1, beta2, debias=False, **theirs)
        linalg = SimpleNamespace(eigh=fixed_eigh, qr=lambda a, retry_float64: torch.linalg.qr(a))
        double = torch_with(float32=torch.float64)
        made = torchzero.Optimizer(tensors, soap)
        super().__init__(made, "torchzero.modules.adaptive.soap", torch=double, torch_linalg=linalg)

    def step(self) -> None:
        """Take a step at rate 1, and go as far along it as the corrected rate says."""
        import torch

        before = [tensor.detach().clone() for tensor in self.tensors]
        super().step()
        (b1, b2), t = self.betas, self.taken
        rate = self.rate * np.sqrt(1 - b2**t) / (1 - b1**t) if t else 0.0
        with torch.no_grad():
            for tensor, start in zip(self.tensors, before, strict=True):
                tensor.copy_(start + rate * (tensor - start))
        self.taken += 1


def krons() -> Iterator[Golden]:
    """PSGD of its author, and pytorch_optimizer's Kron, on the same draws."""
    note = "our draws; matrices have triangular factors, vectors diagonal ones"
    for b, rate in ((0.9, 0.1), (0.0, 0.5)):
        for first, more in ((0.0, {}), (1.0, {"shapes": TALL, "seed": 7})):
            mine = {"momentum": b, "preconditioner_rate": rate, "first_scale": first}
            theirs = {"momentum": b, "lr_preconditioner": rate, "preconditioner_init_scale": first or None}
            yield case("psgd_kron", mine, "psgd_torch.Kron", theirs, AuthorsKron, note, **LIKE, **more)
    for b in (0.9, 0.0):
        for more in ({"decay": 0.1}, {"shapes": TALL, "decay": 0.1}):
            mine = {"momentum": b, "first_scale": 1.0, "corrected": True}
            clipped = f"{note}; in double, without its clip of the update"
            yield case("psgd_kron", mine, "pytorch_optimizer.Kron", {"momentum": b}, OtherKron, clipped, **LIKE, **more)


class Draws:
    """The numbers that ours draws, tensor by tensor, in place of torch's."""

    def __init__(self, tensors: Any, seed: int) -> None:
        sizes = [tensor.numel() for tensor in tensors]
        self.ends, self.seed, self.step = np.cumsum([0, *sizes]), seed, 0
        self.shapes = [tuple(tensor.shape) for tensor in tensors]

    def all_of_a_step(self) -> list[Any]:
        """Return the draws of the next step: a block of two numbers a place, from a tensor's first place on."""
        import torch

        self.step += 1
        drawn = normals(self.seed, "optimizer", 4 * int(self.ends[-1]), self.step)
        starts = zip(self.ends, self.shapes, strict=False)
        return [torch.tensor(drawn[2 * at : 2 * at + int(np.prod(shape))].reshape(shape)) for at, shape in starts]


def half(*arguments: Any) -> Any:
    """Stand for a random number on (0, 1) that never balances the factors, and always updates them."""
    import torch

    return torch.tensor(0.5)


class AuthorsKron:
    """psgd_torch's, which asks for a function whose gradient is the given one."""

    def __init__(self, tensors: Any, lr: float, **theirs: Any) -> None:
        from psgd_torch import psgd

        self.tensors, self.param_groups, self.module = tensors, [], psgd
        whitening = {"lr_params": lr, "preconditioner_type": "whitening", **theirs}
        triangular, diagonal = {"preconditioner_max_skew": float("inf")}, {"preconditioner_max_size": 0}
        kinds = [triangular if tensor.dim() == 2 else diagonal for tensor in tensors]
        self.made = [psgd.Kron([tensor], **whitening, **kind) for tensor, kind in zip(tensors, kinds, strict=True)]
        self.draws = Draws(tensors, 7 if theirs["preconditioner_init_scale"] else 0)

    def step(self) -> None:
        """Take a step of each tensor's."""
        for made, tensor, v in zip(self.made, self.tensors, self.draws.all_of_a_step(), strict=True):
            drawn = torch_with(rand=half, randn_like=lambda g, v=v: v)
            with patch.object(self.module, "torch", drawn):
                made.step(lambda tensor=tensor: (tensor * tensor.grad).sum())


class OtherKron(Stepped):
    """pytorch_optimizer's."""

    def __init__(self, tensors: Any, lr: float, **theirs: Any) -> None:
        import pytorch_optimizer
        import torch

        more = {"pre_conditioner_update_probability": 1.0, "momentum_into_precondition_update": False}
        made = pytorch_optimizer.Kron(tensors, lr=lr, precondition_dtype=torch.float64, **more, **theirs)
        made.balance_prob, self.draws = -1.0, Draws(tensors, 0)
        unclipped = {"clamp": lambda x, max: torch.ones_like(x), "randn_like": lambda g, dtype: self.next.pop(0)}
        super().__init__(made, "pytorch_optimizer.optimizer.psgd", torch=torch_with(float32=torch.float64, **unclipped))

    def step(self) -> None:
        """Take a step."""
        self.next = self.draws.all_of_a_step()
        super().step()
