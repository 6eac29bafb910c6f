"""A review's page."""
