"""The documents of a release: card, Croissant, statistics, licence, citation."""
