"""Portal: what officers read of the current generation, and what they do about it. Nothing here knows Airflow."""
