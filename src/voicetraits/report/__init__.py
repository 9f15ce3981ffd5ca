"""What all models have left, as the tables that are shown and compared."""
