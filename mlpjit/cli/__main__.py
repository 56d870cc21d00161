"""`python -m mlpjit.cli`: the command line without its script."""

from mlpjit.cli import main

main()
