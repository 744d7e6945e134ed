"""Weights & Biases: every run of a study is a run there, live or from files to be synced."""
