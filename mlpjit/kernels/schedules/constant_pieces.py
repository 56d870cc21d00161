"""Rates that stay until a step, or the validation loss, says otherwise."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.elementary import power_float64
from mlpjit.kernels.language import float64, integer, load
from mlpjit.kernels.rates import schedule


@schedule("eta", "-")
def constant_schedule(step, total):
    """The base rate throughout."""
    return 1.0


@schedule("eta factor^floor(t / every)", "-", every=100, factor=0.5)
def step_schedule(step, total, every, factor):
    """Multiply by `factor` every `every` steps."""
    return power_float64(factor, float64(step // every)) if step >= every else 1.0


@schedule("eta factor^(milestones passed)", "He et al. 2016, arXiv:1512.03385, section 4.2",
          factor=0.1, milestones=(100, 200))  # fmt: skip
def multistep_schedule(step, total, factor, milestones):
    """Multiply by `factor` at each of the steps in the list `milestones`."""
    made = 1.0 * float64(1)
    for i in range(integer(load(milestones, 0))):
        if step >= load(milestones, i + 1):
            made *= factor
    return made


@schedule("eta factor^(plateaus so far), a plateau being more than `patience` evaluations without a better loss",
          "torch.optim.lr_scheduler.ReduceLROnPlateau; Keras ReduceLROnPlateau",
          watches=("factor", "patience", "threshold", "cooldown_evaluations", "final"),
          factor=0.1, patience=10, threshold=1e-4, cooldown_evaluations=0, final=0.0)  # fmt: skip
def reduce_on_plateau_schedule(step, total, factor, patience, threshold, cooldown_evaluations, final):
    """Multiply by `factor` when the validation loss has stopped falling; the rule itself is constant."""
    return 1.0
