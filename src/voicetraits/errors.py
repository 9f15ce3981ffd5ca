"""The errors whose message alone is shown to the user."""


class InputError(ValueError):
    """Something the user gave cannot be used; the message names it and the remedy."""


class NotFiniteError(ArithmeticError):
    """Numbers came out infinite or as none at all, so that a model has no result; says which."""
