"""A clinic's figures."""
