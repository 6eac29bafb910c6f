"""Before and after: windows, change, who was lost, reliable change."""
