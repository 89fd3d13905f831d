"""The rooms from accepted Parquet to ledger and ranks, beside a hand-written best effort on the same files."""
