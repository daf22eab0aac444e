"""What the command line does with image files: each command, and the report of its results."""
