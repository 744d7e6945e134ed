"""Measures: numbers computed of a network, one file a measure, its paper and equation on top.

A measure is a function of a network, a run's data and a stream of randomness, which returns a
number for each column that it declares. It knows nothing of stacks or records. Nothing heavy is
imported here, since a config is checked before torch is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from study.base.errors import BadInput
from study.base.names import imported

if TYPE_CHECKING:
    from study.base.streams import Stream
    from study.measures.network import MeasuredData, MeasuredNetwork

Compute = Callable[["MeasuredNetwork", "MeasuredData", "Stream"], Mapping[str, float]]


@dataclass(frozen=True)
class Measure:
    """What is computed of a network beside losses and accuracies.

    Attributes
    ----------
    compute
        The function, or its import path: it takes a `study.measures.network.MeasuredNetwork`, a
        `MeasuredData` and a `study.base.streams.Stream` of its own, and returns a number for each
        column.
    columns
        The columns of ``history`` that it gives, with a sentence on each.
    at
        ``evaluation``: at each evaluated epoch; ``end``: once, after the run's last epoch.

    Examples
    --------
    >>> of_layers = Measure(lambda network, data, random: {"layers": len(network.weights) / 2},
    ...                     columns={"layers": "How many layers the network has."}, at="end")
    """

    compute: Compute | str
    columns: Mapping[str, str]
    at: Literal["evaluation", "end"] = "evaluation"

    def __call__(
        self, network: MeasuredNetwork, data: MeasuredData, random: Stream
    ) -> dict[str, float]:
        """Return the number of each column.

        Raises
        ------
        BadInput
            The function returns other columns than it declares.
        """
        compute = self.compute
        if isinstance(compute, str):
            compute = imported(compute, "measures", "a measure's function")
        found = compute(network, data, random)
        if found.keys() != self.columns.keys():
            raise BadInput("measures", f"the columns {[*self.columns]}", [*found])
        return {column: float(found[column]) for column in self.columns}


_OF_BATCH = "on a fixed batch of 100 training examples"

MEASURES: dict[str, Measure] = {
    "gradient_probe": Measure(
        "study.measures.gradient_probe:measure",
        {
            "gradient_norm": f"Norm of what the backward rule sends to the logits, {_OF_BATCH}.",
            "gradient_exact_norm": "Norm of the loss's exact gradient at the logits, computed in "
            f"float64 {_OF_BATCH}.",
            "gradient_exact_cosine": "Cosine of the angle between the gradient sent and the exact "
            "one.",
            "gradient_zero_share": "Share of the batch's examples to which the rule sends exactly "
            "0.",
            "gradient_largest_g": "The largest |dL/dp| that the rule is given.",
            "gradient_exact_largest_g": "The largest |dL/dp| before p is clamped; it may be "
            "infinite.",
            "gradient_autograd_distance": "Norm of the difference between the gradient sent and "
            "automatic differentiation's, over the norm of the latter.",
        },
    ),
    "weight_norms": Measure(
        "study.measures.weight_norms:measure",
        {
            "weights_norm": "Euclidean norm of all weights and biases.",
            "weights_distance": "Euclidean distance of all weights and biases from their initial "
            "values.",
            "weights_spectral": "Product of the layers' spectral norms.",
        },
        at="end",
    ),
    "margins": Measure(
        "study.measures.margins:measure",
        {
            "margin_10": "The margin that 10 % of the training examples do not exceed, on the "
            "labels trained on.",
            "margin_50": "Median margin of the training examples.",
            "margin_90": "The margin that 90 % of the training examples do not exceed.",
            "margin_scale": "What Bartlett et al. (2017) divide margins by: the spectral "
            "complexity times the norm of the training images, over their number.",
        },
        at="end",
    ),
}
DEFAULT = ("gradient_probe",)
