"""Clinics that keep their records to themselves: one summary of each, pooled.

`summary` writes what a clinic gives away, from tables that disclosure control has let go; `reading`
takes it in, or refuses it; `definitions` holds clinics' definitions against each other; `pooling`
and `funnel` make the tables of the registry. Nothing here reads records.
"""
