"""The embedded back ends: models inside the mediapipe wheel, no download, no GPU."""
