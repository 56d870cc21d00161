"""Kernels that only Python calls: one call where a loop in Python would make thousands. No run goes through them."""
