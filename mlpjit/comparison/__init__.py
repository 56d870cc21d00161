"""Competitors set beside each other, problem by problem and over problems, from the rows of a store."""
