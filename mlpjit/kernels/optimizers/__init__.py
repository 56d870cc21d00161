"""Optimizers and clipping rules: the stages of a training step."""
