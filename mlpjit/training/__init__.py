"""One configuration to one result: shape, memory, linking, the run, what comes out."""
