"""The CNNs and their training, in Keras on JAX."""
