"""What the answers tell of the people, the classes and the proposals."""
