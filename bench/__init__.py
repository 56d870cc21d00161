"""Benchmarks for asv. Parameter lists are literal and append-only; compilation is never inside a timing.

Every commit gets its own compile cache, since the cache's folder carries a hash of the sources.
"""
