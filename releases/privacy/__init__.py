"""What of a person a release may hold, and the checks that it holds no more."""
