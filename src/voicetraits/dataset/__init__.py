"""From clips to parts: split, undersampled, scaled."""

# How undersampling can balance the classes; see dataset/undersampling.py.
SAMPLERS = ("random", "one_sided")
