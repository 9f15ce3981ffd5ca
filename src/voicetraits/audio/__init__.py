"""From a recording to a WAV clip of one rate and length."""
