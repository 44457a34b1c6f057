"""The back ends of perception: one file for each library, imported when a study names it."""
