"""A plain PyTorch loop, scikit-learn, and JAX with everything jitted and vmapped over seeds."""

from __future__ import annotations

import itertools
import time
from typing import Any

from benchmarks.common import BATCH, RATE, Timing, Workload, accuracy, arrays, network, steady


def plain_loop(workload: Workload, epochs: int, *, fused: bool, compiled: bool = False) -> Timing:
    """Train in a plain PyTorch loop over tensors in memory."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    images, labels, test_images, test_labels = arrays()
    model = network(workload)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=fused)
    forward = torch.compile(model) if compiled else model
    seconds = []
    for _ in range(epochs):
        began = time.perf_counter()
        for chosen in torch.split(torch.randperm(len(labels)), BATCH):
            loss = nn.functional.cross_entropy(forward(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
        seconds.append(time.perf_counter() - began)
    return Timing(steady(seconds), accuracy(model, test_images, test_labels))


def scikit_learn(workload: Workload, epochs: int) -> Timing:
    """Train scikit-learn's MLPClassifier an epoch at a time."""
    from sklearn.neural_network import MLPClassifier

    images, labels, test_images, test_labels = (array.numpy() for array in arrays())
    model = MLPClassifier(
        workload.hidden, alpha=0.0, batch_size=BATCH, learning_rate_init=RATE, random_state=0
    )
    seconds = []
    for _ in range(epochs):
        began = time.perf_counter()
        model.partial_fit(images, labels, classes=range(10))
        seconds.append(time.perf_counter() - began)
    return Timing(steady(seconds), float(model.score(test_images, test_labels)))


def jax_vmapped(workload: Workload, epochs: int, *, runs: int) -> Timing:
    """Train one epoch in one jitted program, vmapped over seeds."""
    import jax
    import jax.numpy as jnp
    import optax

    images, labels, test_images, test_labels = (jnp.asarray(array.numpy()) for array in arrays())
    optimizer = optax.adam(RATE)

    def loss(layers: Any, x: Any, y: Any) -> Any:
        scores = _jax_logits(layers, x)
        return optax.softmax_cross_entropy_with_integer_labels(scores, y).mean()

    def epoch(layers: Any, state: Any, key: Any) -> Any:
        order = jax.random.permutation(key, len(labels)).reshape(-1, BATCH)

        def step(carry: Any, chosen: Any) -> Any:
            layers, state = carry
            gradients = jax.grad(loss)(layers, images[chosen], labels[chosen])
            updates, state = optimizer.update(gradients, state)
            return (optax.apply_updates(layers, updates), state), None

        return jax.lax.scan(step, (layers, state), order)[0]

    keys = jax.random.split(jax.random.key(0), runs)
    layers = jax.vmap(lambda key: _jax_layers(workload, key))(keys)
    state = jax.vmap(optimizer.init)(layers)
    train = jax.jit(jax.vmap(epoch))
    seconds = []
    for number in range(epochs):
        began = time.perf_counter()
        keys = jax.vmap(lambda key, n=number: jax.random.fold_in(key, n))(keys)
        layers, state = jax.block_until_ready(train(layers, state, keys))
        seconds.append(time.perf_counter() - began)
    guesses = jax.vmap(lambda each: _jax_logits(each, test_images).argmax(-1))(layers)
    return Timing(steady(seconds) / runs, float((guesses == test_labels).mean()))


def _jax_layers(workload: Workload, key: Any) -> list[tuple[Any, Any]]:
    import jax

    layers = []
    for inputs, outputs in itertools.pairwise(workload.widths):
        key, first, second = jax.random.split(key, 3)
        bound = inputs**-0.5
        weight = jax.random.uniform(first, (inputs, outputs), minval=-bound, maxval=bound)
        bias = jax.random.uniform(second, (outputs,), minval=-bound, maxval=bound)
        layers.append((weight, bias))
    return layers


def _jax_logits(layers: Any, x: Any) -> Any:
    import jax

    for weight, bias in layers[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    return x @ layers[-1][0] + layers[-1][1]
