"""Weights & Biases (W&B): sends each run of a study as a W&B run, live or as files to sync."""
