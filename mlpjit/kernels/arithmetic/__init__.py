"""Elementary functions, matrix products, random numbers, factorizations: the same bits everywhere."""
