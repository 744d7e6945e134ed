"""Softmax, losses, stacked networks, their gradients and Adam: each usable without the rest."""
