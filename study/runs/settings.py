"""What a run is made of, by subject: data, model, stop, trainer; and where it appears in W&B."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, Self

from pydantic import AfterValidator, ConfigDict, Field, Strict, model_validator
from typing_extensions import TypedDict

from study.base.errors import BadInput
from study.base.names import ACTIVATION, BACKWARD, DATASET, INPUTS, LOSS, NORMALIZATION, SCHEME
from study.data.sources import Source, source_of
from study.runs.declaring import (
    ABOVE_0,
    NO_FACT,
    Count,
    Folder,
    Says,
    Settings,
    Share,
    Subject,
)


class Data(Subject):
    """What the network sees."""

    dataset: Annotated[str, DATASET] = "mnist5k"
    """Where images and labels come from."""
    root: Annotated[Folder, NO_FACT] = "data"
    """Folder with downloaded data sets, laid out as torchvision does."""
    label_noise: Share = 0.0
    """Probability with which each training label is redrawn at random."""
    label_scheme: Annotated[str, SCHEME] = "uniform"
    """Redrawn labels are drawn over all classes, or are the old ones of those examples permuted."""
    inputs: Annotated[str, INPUTS] = "original"
    """Images as they are; with one pixel permutation for all; with one an image; or noise."""
    train_examples: Annotated[Count | None, Says("a number of at least 1, or null")] = None
    """Size of a random subset to train on; null trains on all."""
    normalize: Annotated[str, NORMALIZATION] = "dataset"
    """Pixels in [0, 1]; or standardised by the data set's mean and deviation; or by the image's."""
    batch_size: Count = 100
    """Examples in a training step."""

    @model_validator(mode="after")
    def _sizes_of_built_in_sources(self) -> Self:
        if not DATASET.is_outside(self.dataset):
            self.check_sizes()
        return self

    def check_sizes(self) -> None:
        """Raise `BadInput` for more examples than the source has; one of the user's is imported."""
        available = self.source.train_examples
        if self.train_examples is not None and self.train_examples > available:
            most = f"at most the {available} training examples of {self.dataset}"
            raise BadInput("train_examples", most, self.train_examples)
        if self.batch_size > self.examples:
            most = f"at most the {self.examples} training examples"
            raise BadInput("batch_size", most, self.batch_size)

    @property
    def source(self) -> Source:
        """Where images and labels come from; one of the user's is imported."""
        return source_of(self.dataset)

    @property
    def examples(self) -> int:
        """How many examples a run trains on."""
        return self.train_examples or self.source.train_examples


class Model(Subject):
    """The network, its loss, and how the gradient gets back through both."""

    hidden: Annotated[
        tuple[Count, ...], Strict(False), Says("a list of layer widths of at least 1, e.g. [256]")
    ] = (256,)
    """Widths of the hidden layers; an empty list is a linear classifier."""
    activation: Annotated[str, ACTIVATION] = "relu"
    """Non-linearity after each hidden layer."""
    loss: Annotated[str, LOSS] = "cross_entropy"
    """What is minimised, on probabilities."""
    backward: Annotated[str, BACKWARD] = "jacobian"
    """What the gradient does at softmax: passes its Jacobian or skips it, by hand or by PyTorch."""
    gradients: Literal["derived", "autograd"] = "derived"
    """The network's gradients by the hand-written derivation, or by PyTorch."""


class Stop(Subject):
    """When a run has fitted and may end early: once all that is given here holds."""

    train_accuracy: Annotated[
        float | None, Field(ge=0, le=1), Says("a fraction in [0, 1], or null")
    ] = None
    """Accuracy on the labels trained on that counts as fitted."""
    train_cross_entropy: Annotated[float | None, Field(gt=0), Says(f"{ABOVE_0}, or null")] = None
    """Cross-entropy on the labels trained on, in nats, to fall to."""

    @property
    def accuracy_to_fit(self) -> float:
        """Accuracy on the labels trained on from which a run counts as fitted."""
        return 1.0 if self.train_accuracy is None else self.train_accuracy


class ClassSpec(TypedDict):
    """A class of the user's, and what it is made with."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    class_path: Annotated[str, Field(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)+$")]
    init_args: NotRequired[dict[str, Any] | None]


Classes = Annotated[
    list[ClassSpec], NO_FACT, Says("a list of mappings with class_path (a.B) and init_args")
]


class Trainer(Subject):
    """Lightning's Trainer: the arguments a study uses, under Lightning's names."""

    max_epochs: Count = 100
    """Longest training, in passes over the training examples."""
    accelerator: Annotated[Literal["auto", "cpu", "gpu", "cuda"], NO_FACT] = "auto"
    """Where to train."""
    precision: Literal["32-true", "64-true", "bf16-mixed"] = "32-true"
    """Lightning's precision setting; bf16-mixed needs model.gradients: autograd."""
    gradient_clip_val: Annotated[float | None, Field(gt=0), Says(f"{ABOVE_0}, or null")] = None
    """Bound on each run's own gradient."""
    gradient_clip_algorithm: Literal["norm", "value"] = "norm"
    """Bound the norm over a run's parameters, or each element."""
    callbacks: Classes = []
    """Lightning callbacks, each with class_path and init_args."""
    logger: Classes = []
    """Lightning loggers, each with class_path and init_args."""


def _printed(value: str | None) -> str | None:
    """Refuse names with characters that nobody sees."""
    if value is not None and not value.isprintable():
        raise ValueError("control characters")
    return value


Printed = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printed)]


class Wandb(Settings):
    """Where the runs of a study appear in Weights & Biases; no fact of any run."""

    mode: Literal["offline", "online", "off"] = "offline"
    """Files in the study's folder for `wandb sync`; live on the server; or nothing at all."""
    project: Annotated[
        Printed,
        Field(pattern=r"^[^/\\#?%:]+$"),
        Says("a printable name of at most 128 characters without / \\ # ? % :"),
    ] = "study"
    """The project."""
    entity: Annotated[
        str | None, Field(pattern=r"^[\w.-]+$"), Says("the name of a user or team, or null")
    ] = None
    """The user or team; null takes the account's own."""
    group: Annotated[
        Printed | None, Says("a printable name of at most 128 characters, or null")
    ] = None
    """Groups the study's runs; null takes the study's name."""
    tags: Annotated[
        list[Annotated[Printed, Field(max_length=64)]],
        Says("a list of printable names of at most 64 characters"),
    ] = []
    """Tags of every run."""
