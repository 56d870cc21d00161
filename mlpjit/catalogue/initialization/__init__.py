"""Initializers: a layer's first weights from standard numbers that all of them share.

Numbers are drawn unscaled from (init_seed, layer), in float64, so two initializers or two dtypes start from the
same draw, scaled or rounded. W has shape (fan_in, fan_out); biases begin at 0 unless an initializer returns (W, b).
`initializers` holds them; importing this package registers all of them; it imports no Numba.
"""

from mlpjit.catalogue.initialization.draws import Draw
from mlpjit.catalogue.initialization.initializers import initializers
from mlpjit.catalogue.initialization.records import Initializer, initializer

__all__ = ["Draw", "Initializer", "initializer", "initializers"]
