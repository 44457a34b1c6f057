"""Data sets of others, read into a study."""
