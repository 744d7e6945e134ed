"""Trains runs on Lightning: the data module, the stack of runs, its engine and evaluation."""
