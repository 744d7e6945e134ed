"""Timings of this package against its alternatives: ``python -m benchmarks``."""
