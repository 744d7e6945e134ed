"""Timings of this package against what a user would pick instead: ``python -m benchmarks``."""
