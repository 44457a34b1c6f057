"""Checking a release as an outsider would."""
