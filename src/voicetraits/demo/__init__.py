"""A page on this machine that records a voice and shows what a model says of it."""
