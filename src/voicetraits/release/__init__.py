"""The model that comes with the repository: from the corpora to the file and its card."""
