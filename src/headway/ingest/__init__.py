"""Raw files -> processed tables."""
