"""What a model reads: sequences of poses, put to one origin, one size and one frame rate."""
