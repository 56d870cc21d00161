"""Everything that is compiled: arrays and numbers, nothing of configurations, files or screens."""
