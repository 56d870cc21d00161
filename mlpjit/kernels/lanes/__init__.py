"""Runs of one template side by side, each in a lane of every vector and with the bits that it has alone."""
