"""Common Voice from Mozilla Data Collective."""
