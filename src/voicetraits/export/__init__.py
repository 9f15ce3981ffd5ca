"""Trained networks as one ONNX file each: samples in, probabilities out, no Keras to run them."""
