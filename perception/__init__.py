"""Pixels to numbers: shots, tracks and keypoints, each with its back ends."""
