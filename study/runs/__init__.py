"""A run and its facts, a study and its arms, how runs are packed into stacks, and config files."""
