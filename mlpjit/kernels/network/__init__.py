"""Layers: activations, losses, normalizations, forward and backward passes, curvature."""
