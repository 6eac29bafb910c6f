"""Headway: outcomes research for headache and trigger point care."""

__version__ = "0.1.0"
