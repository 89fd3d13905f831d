"""One enterprise key over all departments: resolve who a record is about, drop what a later filing supersedes."""
