"""A study's runs on many machines, by workers of Dask: https://distributed.dask.org (extra `cluster`)."""
