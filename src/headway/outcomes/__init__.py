"""A person's records -> windows, missingness, change."""
