"""A review's figures."""
