"""From clips to parts: split, undersampled, scaled."""
