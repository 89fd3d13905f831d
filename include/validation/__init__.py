"""Validate: cast every row as its contract says, judge it, and accept or reject the snapshot. No row is edited.

Great Expectations and pandas are heavy (six seconds to import): import `judge` inside the step that judges.
"""
