"""What people said: from the server's JSON to verified segments."""
