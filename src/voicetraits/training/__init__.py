"""A model trained and tested: batches, fit, baselines, predictions."""
