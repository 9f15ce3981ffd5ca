"""The labels of speakers in Common Voice, as the clip tables spell them."""

from __future__ import annotations

# The gender of a speaker who is labelled both female and male.
CONTRADICTORY = "contradictory"
# In the order in which they are shown.
GENDERS = ("male", "female", "other", CONTRADICTORY)
# In their order, with Common Voice's spelling of forty.
AGES = (
    *("teens", "twenties", "thirties", "fourties", "fifties"),
    *("sixties", "seventies", "eighties", "nineties"),
)
# By column; accents are the speakers' own words.
LABELS = {"gender": GENDERS, "age": AGES}
