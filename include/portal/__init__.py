"""Portal: what officers read of the current generation. Nothing is written, and nothing here knows Airflow."""
