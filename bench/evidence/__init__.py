"""The scripts behind the figures of the README and of results/reference."""
