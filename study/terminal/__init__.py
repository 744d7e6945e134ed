"""What a person sees in a terminal while a study trains and when it has ended."""
