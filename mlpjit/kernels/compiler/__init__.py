"""The only place that imports Numba or llvmlite: linking, compiling, caching, vector code."""
