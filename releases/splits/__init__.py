"""Who is in train, val or test, and the proof that nobody is in two of them."""
