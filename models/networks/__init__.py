"""The networks: poses -> features of every frame -> gestures at several scales, and what a span shows."""
