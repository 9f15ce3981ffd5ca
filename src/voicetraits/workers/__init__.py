"""Processes: how many, where, and what each takes from its surroundings."""
