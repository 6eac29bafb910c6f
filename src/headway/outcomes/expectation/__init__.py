"""What a change can mean: expected without treatment, benchmark, sensitivity, traps."""
