"""Reads images, applies a run's conditions to them, and gives the trainer arrays."""
