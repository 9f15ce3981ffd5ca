"""Common Voice from Mozilla Data Collective."""

from voicetraits.download.arguments import next_command, parse_wanted
from voicetraits.download.fetch import download

__all__ = ["download", "next_command", "parse_wanted"]
