"""Evidence: which records a point stands on, what it would take to get more, and why it changed between two nights."""
