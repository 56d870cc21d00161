"""Kernels one call at a time: a network's passes, an optimizer's step."""
