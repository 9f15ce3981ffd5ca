"""What the pipeline costs, against a baseline of the same run; and what leakage is worth."""
