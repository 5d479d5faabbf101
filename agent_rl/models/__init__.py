"""Models: loading, the shipped tiny one, attention over packed sequences and over a slot cache."""
