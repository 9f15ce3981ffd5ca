"""The folder of one model."""

from __future__ import annotations

# What a trained cell consists of; one that is skipped or failed has the sidecar alone.
WEIGHTS = "model.weights.h5"
SCALER = "scaler.npy"
SIDECAR = "model.json"
PREDICTIONS = "predictions.parquet"
USED = "used.parquet"
LIVE = "live"
