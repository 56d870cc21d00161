"""Generated datasets, one module each: the same bits on every CPU, with parameters and a known structure.

Random numbers and elementary functions come from `mlpjit.kernels`; all other arithmetic is elementwise, so
every operation is rounded the same everywhere. A module here is found and registered by itself.
"""
