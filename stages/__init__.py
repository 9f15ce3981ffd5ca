"""The stages of dvc.yaml, one module each."""

from voicetraits.threads import one_numeric_thread

one_numeric_thread()  # here, because this comes before any stage's import of NumPy
