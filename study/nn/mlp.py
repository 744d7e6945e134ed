"""StackedMLP: the networks of all runs in a stack, each parameter with a leading run dimension."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from study.base import streams
from study.base.names import ACTIVATION

ALIGNMENT = 64  # bytes; a matrix product may round differently if an address is not aligned


@dataclass(frozen=True)
class Activation:
    """An elementwise activation h = act(u), and how the derived gradients pass through it.

    Parameters
    ----------
    function
        Returns act(u).
    module
        Makes a module that computes act(u), for plain networks.
    derivative
        Multiplies ``delta`` in place by act'(u), given ``delta``, u and h. By default autograd
        differentiates ``function``.
    overwriting
        Returns act(u) and may overwrite u with it. ``derivative`` must then depend on h alone,
        because the original u is lost.

    Raises
    ------
    ValueError
        ``overwriting`` is given without ``derivative``.

    Examples
    --------
    >>> Activation(functional.silu, nn.SiLU).function(torch.zeros(1))
    tensor([0.])
    """

    function: Callable[[Tensor], Tensor]
    module: Callable[[], nn.Module]
    derivative: Callable[[Tensor, Tensor, Tensor], object] | None = None
    overwriting: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        if self.overwriting is not None and self.derivative is None:
            raise ValueError("overwriting: expected a derivative that follows from h, found none")

    @property
    def in_place(self) -> Callable[[Tensor], Tensor]:
        """``overwriting`` if there is one, or else ``function``."""
        return self.overwriting or self.function

    def through(self, delta: Tensor, u: Tensor, h: Tensor) -> None:
        """Multiply ``delta`` in place by act'(u), given u and h = act(u)."""
        if self.derivative is not None:
            self.derivative(delta, u, h)
            return
        with torch.enable_grad():
            leaf = u.detach().requires_grad_()
            value = self.function(leaf)
        delta.copy_(torch.autograd.grad(value, leaf, delta)[0])


def _through_relu(delta: Tensor, u: Tensor, h: Tensor) -> None:
    # This keeps delta where h > 0 and sets it to 0 elsewhere, in one pass.
    torch.ops.aten.threshold_backward.grad_input(delta, h, 0, grad_input=delta)


def _through_gelu(delta: Tensor, u: Tensor, h: Tensor) -> None:
    # gelu(u) = u Phi(u), where Phi is the normal distribution function.
    density = torch.exp(-u.square() / 2) / math.sqrt(2 * math.pi)
    delta.mul_(torch.special.ndtr(u) + u * density)


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(torch.relu, nn.ReLU, _through_relu, torch.relu_),
    "tanh": Activation(
        torch.tanh, nn.Tanh, lambda delta, u, h: delta.mul_(1 - h.square()), torch.tanh_
    ),
    "gelu": Activation(functional.gelu, nn.GELU, _through_gelu),
    "sigmoid": Activation(
        torch.sigmoid, nn.Sigmoid, lambda delta, u, h: delta.mul_(h * (1 - h)), torch.sigmoid_
    ),
}


def aligned_stack(runs: int, shape: Sequence[int], like: Tensor | None = None) -> Tensor:
    """Return zeros of shape [run, *shape]; each run's part starts at an aligned address."""
    dtype = torch.get_default_dtype() if like is None else like.dtype
    device = None if like is None else like.device
    size = math.prod(shape)
    per_line = ALIGNMENT // dtype.itemsize
    padded = -(-size // per_line) * per_line
    flat = torch.zeros(runs, padded, dtype=dtype, device=device)
    return flat[:, :size].view(runs, *shape)


class StackedMLP(nn.Module):
    """Multilayer perceptrons of equal widths, one for each run.

    Parameters
    ----------
    runs, widths
        Number of networks, and sizes of all layers, from features to classes.
    activation
        ``relu``, ``tanh``, ``gelu`` or ``sigmoid``, after each layer but the last.

    Raises
    ------
    BadInput
        The activation is unknown.

    Examples
    --------
    >>> stack = StackedMLP(2, [784, 256, 10])
    >>> stack(torch.rand(2, 5, 784)).shape
    torch.Size([2, 5, 10])
    >>> stack.network(1)(torch.rand(5, 784)).shape
    torch.Size([5, 10])
    """

    def __init__(self, runs: int, widths: Sequence[int], activation: str = "relu") -> None:
        super().__init__()
        self.runs, self.widths, self.activation = runs, tuple(widths), activation
        self.act = ACTIVATION.resolve_as(activation, "activation", Activation).function
        layers = list(itertools.pairwise(self.widths))
        self.weights = nn.ParameterList(aligned_stack(runs, (m, n)) for n, m in layers)
        self.biases = nn.ParameterList(aligned_stack(runs, (m,)) for _, m in layers)
        for run in range(runs):
            self.initialize(run, seed=run)

    def forward(self, x: Float[Tensor, "*run batch feature"]) -> Float[Tensor, "run batch classes"]:
        """Return logits; without a run dimension in ``x``, all runs see the same batch."""
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = self.act(x @ weight.mT + bias.unsqueeze(-2))
        logits: Tensor = x @ self.weights[-1].mT + self.biases[-1].unsqueeze(-2)
        return logits

    def align(self) -> None:
        """Align the parameters again, because a cast or a move packs them without padding."""
        for parameter in self.parameters():
            aligned = aligned_stack(self.runs, parameter.shape[1:], parameter.data)
            parameter.data = aligned.copy_(parameter.data)

    @torch.no_grad()
    def initialize(self, run: int, seed: int, scale: float = 1.0) -> None:
        """Draw one run's weights and biases, uniformly in +-scale/sqrt(fan_in).

        With a scale of 1 this is the rule of `torch.nn.Linear`.
        """
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            bound = scale / math.sqrt(weight.shape[-1])
            for name, parameter in (("weight", weight[run]), ("bias", bias[run])):
                drawn = streams.uniform(seed, f"initial/{layer}/{name}", tuple(parameter.shape))
                parameter.copy_(torch.from_numpy((2 * drawn - 1) * bound))

    def rows(self, run: int | slice) -> list[Tensor]:
        """Return one run's weights and biases in layer order, sharing memory with the stack.

        The tensors are leaves, so they can be a parameter group of an optimizer.
        """
        both = zip(self.weights, self.biases, strict=True)
        return [parameter.detach()[run] for pair in both for parameter in pair]

    def network(self, run: int) -> nn.Sequential:
        """Return a copy of one run's network as a plain `torch.nn.Sequential`."""
        return sequential([row.clone() for row in self.rows(run)], self.activation)


def sequential(parameters: Sequence[Tensor], activation: str) -> nn.Sequential:
    """Build a plain network from weights and biases in layer order."""
    act = ACTIVATION.resolve_as(activation, "activation", Activation).module
    modules: list[nn.Module] = []
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
        linear.weight, linear.bias = nn.Parameter(weight), nn.Parameter(bias)
        modules += [linear, act()]
    return nn.Sequential(*modules[:-1])
