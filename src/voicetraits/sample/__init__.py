"""The sample corpus: synthetic voices, in the form of Common Voice archives."""
