"""Loaded by Airflow at start: the processes from which tasks fork import the heavy libraries once, for all tasks.

Importing Great Expectations costs a task five CPU seconds; forked from a scheduler or worker that has it, nothing.
No threads, no connections here (a fork would inherit them), and no module of ours (tasks must see today's code).
"""

import sys

if "scheduler" in sys.argv or "worker" in sys.argv:
    import logging

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import alembic  # noqa: F401
    import duckdb  # noqa: F401
    import great_expectations  # noqa: F401
    import pandas  # noqa: F401
    import psycopg  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import pydantic_settings  # noqa: F401
    import sqlglot.dialects.duckdb  # noqa: F401
