"""One run described: its fields, which combinations make sense, and the id that names it."""
