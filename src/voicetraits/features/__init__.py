"""The representations of a clip: short-term features and the log-mel spectrogram."""
