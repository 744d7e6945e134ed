"""The basics for every other room: errors, files that appear whole, random streams, signals."""
