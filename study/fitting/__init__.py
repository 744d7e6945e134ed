"""Composes the rooms: trains the runs of a study in this process, and records them."""
