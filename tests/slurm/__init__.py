"""Runs on a real scheduler: SLURM with one node, on this machine."""
