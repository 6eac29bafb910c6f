"""Figures: tables -> matplotlib figures with their alt texts. Nothing is computed here."""
