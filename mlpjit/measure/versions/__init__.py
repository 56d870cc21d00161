"""Two versions of the package side by side: which is faster, and how sure that is."""
