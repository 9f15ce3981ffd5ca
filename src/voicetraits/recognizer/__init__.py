"""From a recording to its language and the gender of its voice, with an exported model.

It starts fast and needs little: NumPy, onnxruntime and what decodes audio.
"""
