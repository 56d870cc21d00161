"""A training step, an evaluation, a whole run as one compiled call."""
