"""What every room shares and nothing more: ids, periods, exact numbers, errors, settings, references."""
