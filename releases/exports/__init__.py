"""A release in the formats of other tools."""
