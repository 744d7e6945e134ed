"""The report as one of W&B's: a value, its panels, and what sends it."""
