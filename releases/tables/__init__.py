"""The tables of a release: their columns, what enters them, and how they are written."""
