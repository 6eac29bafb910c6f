"""A clinic's page."""
