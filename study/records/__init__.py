"""What a study leaves in its folder, how it is written, and how it is read."""
