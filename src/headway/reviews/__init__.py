"""A review of published trials: effects, pooled estimates, verdicts, doubts."""
