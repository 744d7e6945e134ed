"""What is measured of a network: one file a measure, its paper and equation on top."""
