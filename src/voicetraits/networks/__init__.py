"""The networks, in Keras on JAX."""
