"""Common Voice archives and folders in, clip table out."""
