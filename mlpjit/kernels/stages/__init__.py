"""Stages of a training step: what one is, the loops of rules, and how optimizers and wrappers are declared."""
