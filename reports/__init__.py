"""Records become figures, tables and verdicts. Reads what a study left; trains nothing."""
