"""What people see: the pages, and the task that each question becomes."""
