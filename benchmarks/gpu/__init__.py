"""What a GPU gives, found out in one call: ``python -m benchmarks --workload gpu``."""
