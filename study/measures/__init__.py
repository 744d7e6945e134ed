"""Measures: numbers computed from a network. Each has one file, with its equation on top.

A measure takes a network as a function from images to logits, and the images and labels to measure
it on. Measures know nothing of runs, stacks or records.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Network = Callable[[Tensor], Tensor]  # images [batch, feature] to logits [batch, classes]

__all__ = ["Network"]
