"""Arrays in, arrays out. Imports nothing of the package."""
