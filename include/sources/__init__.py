"""Land: copy what a department holds as it wrote it, and prove the copy complete by its own totals.

One folder per source system with a `source.yaml`; three drivers (rest, database, filedrop) that know no department.
"""
