"""Numbers computed from keypoints: scale, distances, movement and runs, in numpy alone."""
