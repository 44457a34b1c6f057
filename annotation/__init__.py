"""Candidates and people: the review server, its page, the questions put on it, and what the answers add up to."""
