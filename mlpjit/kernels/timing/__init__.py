"""Kernels that only measure: a machine's limits, repeated calls. No run uses them."""
