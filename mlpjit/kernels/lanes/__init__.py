"""Runs of one template side by side: each number of a run is a lane of a vector, each lane has the bits it has alone."""
