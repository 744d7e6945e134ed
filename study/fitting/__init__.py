"""Composes the other rooms to train a study's runs in this process and record them."""
