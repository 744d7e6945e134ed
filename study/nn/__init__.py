"""Softmax, losses, stacked networks, gradients and Adam: each can be used without the rest."""
