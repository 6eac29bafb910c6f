"""The care itself: safety, fees, dose, therapists, months, how long a response lasts."""
