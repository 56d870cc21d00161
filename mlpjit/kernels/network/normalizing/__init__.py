"""Arithmetic of the normalizations: values and gradients, and both along a direction."""
