"""Rules as data: the YAML of a scoring scheme and the compiler that turns it into exact, checkable tables."""
