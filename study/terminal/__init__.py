"""Text for the terminal: the plan, progress while a study trains, and the final tables."""
