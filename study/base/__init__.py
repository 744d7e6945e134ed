"""Errors, files that appear whole, random streams and signals: what every other room stands on."""
