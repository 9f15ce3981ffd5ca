"""The one kind of error whose message alone is shown to the user."""


class InputError(ValueError):
    """Something the user gave cannot be used; the message names it and the remedy."""
