"""The same training runs in mlpjit and in its peers, side by side: what `mlpjit bench --peers` measures.

Each side is a process of its own (`worker`), told by the parent when to train, so that turns are interleaved and no
library meets another's threads or floating-point mode. `task` holds what all sides are given: data, first weights,
order of samples. A peer is one module that returns ways to run a task; the fastest is kept.
"""
