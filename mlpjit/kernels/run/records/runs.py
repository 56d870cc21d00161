"""What is recorded of a run at each evaluation, in the order of the columns. More may follow; what is here stays."""

from __future__ import annotations

from mlpjit.kernels.run.records.declare import at_evaluation


@at_evaluation(unit="epochs")
def epoch(epoch):
    """The epoch that the evaluation ends; 0 before the first step."""
    return epoch


@at_evaluation(unit="steps")
def step(step):
    """The steps until then."""
    return step


@at_evaluation(unit="loss")
def train_loss(train_loss):
    """The mean of the losses of the epoch's steps, each before its update, penalties included."""
    return train_loss


@at_evaluation(unit="loss")
def validation_loss(validation_loss):
    """The mean loss over the validation set, without penalties."""
    return validation_loss


@at_evaluation(unit="score")
def validation_score(validation_score):
    """Accuracy or R^2 on the validation set."""
    return validation_score


@at_evaluation(unit="steps")
def recorded_step(recorded):
    """The step that the records of layers are of: the epoch's last on a full batch."""
    return recorded
