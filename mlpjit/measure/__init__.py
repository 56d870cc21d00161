"""How fast this machine runs the kernels, and how fast it could: what `mlpjit bench` measures.

`cases` is the table of everything that can be timed, by name. Nothing here imports Numba before a case is made.
"""
