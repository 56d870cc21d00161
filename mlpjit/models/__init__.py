"""Models: what a run has learned, with all that a prediction needs, away from mlpjit."""
