"""What an exported file and whoever runs it agree on; it imports nothing, to start at once."""

# The key of the file's metadata under which it says what it is, and the version of how.
KEY, VERSION = "voicetraits", 1
SAMPLE_RATE = 16_000  # Hz, of what every exported network takes
