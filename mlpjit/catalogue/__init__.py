"""What a run can be made of: the registries by name, their spelled-out settings, initial weights, data."""
