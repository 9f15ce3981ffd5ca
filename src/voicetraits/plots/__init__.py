"""The pictures.

Every function that draws takes tidy data and returns a matplotlib Figure; `style.save` writes it.
None of them uses pyplot or its global state, and the bytes of a picture depend on its data alone.
"""
