"""The only place where I/O meets logic: each step reads the previous room's tables, calls one room, and commits.

A step is a transaction: it writes beside, verifies, and commits; running it twice changes nothing. Steps take and give
keys and counts, so Airflow (XCom) and the command line can carry them. Heavy libraries are imported inside the steps.
"""

from include.steps.city import due_publications, publish, rank
from include.steps.conforming import conform, conform_city
from include.steps.district import compute, measure, score
from include.steps.release import blocked, release
from include.steps.retention import retain
from include.steps.snapshots import PRIVACY_CONNECTION, land, land_shared, validate

__all__ = [
    "PRIVACY_CONNECTION",
    "blocked",
    "compute",
    "conform",
    "conform_city",
    "due_publications",
    "land",
    "land_shared",
    "measure",
    "publish",
    "rank",
    "release",
    "retain",
    "score",
    "validate",
]
