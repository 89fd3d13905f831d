"""Everything on one machine: stand-in departments, an embedded PostgreSQL, and Airflow, under one supervisor.

Airflow is run as commands; nothing here imports it.
"""
