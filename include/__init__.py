"""Enterprise innovation points: from departments' records to published points."""
