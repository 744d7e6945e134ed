"""What a run is made of, by subject; and where it appears in W&B."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Self

from pydantic import AfterValidator, ConfigDict, Field, Strict, model_validator
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict

from study.base import names
from study.base.errors import BadInput
from study.data.sources import Source, source_of
from study.runs.declaring import (
    ABOVE_0,
    NO_FACT,
    Absent,
    Beta,
    Count,
    Folder,
    Positive,
    Says,
    Settings,
    Share,
    Switch,
    Whole,
)

ADAM = "study.Adam"
Below1 = Annotated[Beta, Says("a number in [0, 1)")]


class Data(Settings):
    """What the network sees."""

    dataset: Annotated[str, names.DATASET] = "mnist5k"
    """Where images and labels come from."""
    root: Annotated[Folder, NO_FACT] = "data"
    """Folder with downloaded data sets, laid out as torchvision does."""
    label_noise: Share = 0.0
    """Probability with which each training label is redrawn at random."""
    label_scheme: Annotated[str, names.SCHEME] = "uniform"
    """Redrawn labels are drawn over all classes, or are the old ones of those examples permuted."""
    inputs: Annotated[str, names.INPUTS] = "original"
    """Images as they are; with one pixel permutation for all; with one an image; or noise."""
    train_examples: Annotated[Count | None, Says("a number of at least 1, or null")] = None
    """Size of a random subset to train on; null trains on all that are not for validation."""
    validation_examples: Annotated[Whole, Absent(0)] = 0
    """How many training examples are held out, drawn by the seed, to validate on."""
    normalize: Annotated[str, names.NORMALIZATION] = "dataset"
    """Pixels in [0, 1]; or standardised by the data set's mean and deviation; or by the image's."""
    batch_size: Count = 100
    """Examples in a training step."""

    @model_validator(mode="after")
    def _sizes_of_built_in_sources(self) -> Self:
        if not names.DATASET.is_outside(self.dataset):
            self.check_sizes()
        return self

    def check_sizes(self) -> None:
        """Raise `BadInput` for more examples than the source has; one of the user's is imported."""
        available = self.source.train_examples
        if self.train_examples is not None and self.train_examples > available:
            most = f"at most the {available} training examples of {self.dataset}"
            raise BadInput("train_examples", most, self.train_examples)
        left = available - (self.train_examples or 1)
        if self.validation_examples > left:
            most = f"at most {left}, what training leaves of the {available} of {self.dataset}"
            raise BadInput("validation_examples", most, self.validation_examples)
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
        return self.train_examples or self.source.train_examples - self.validation_examples


class Model(Settings):
    """The network, its loss, and how the gradient gets back through both."""

    hidden: Annotated[
        tuple[Count, ...], Strict(False), Says("a list of layer widths of at least 1, e.g. [256]")
    ] = (256,)
    """Widths of the hidden layers; an empty list is a linear classifier."""
    activation: Annotated[str, names.ACTIVATION] = "relu"
    """Non-linearity after each hidden layer."""
    loss: Annotated[str, names.LOSS] = "cross_entropy"
    """What is minimised, on probabilities."""
    backward: Annotated[str, names.BACKWARD] = "jacobian"
    """What the gradient does at softmax: passes its Jacobian or skips it, by hand or by PyTorch."""
    gradients: Literal["derived", "autograd"] = "derived"
    """The network's gradients by the hand-written derivation, or by PyTorch."""
    dropout: Annotated[Below1, Absent(0.0)] = 0.0
    """Probability with which a training step drops each output of a hidden layer."""
    input_dropout: Annotated[Below1, Absent(0.0)] = 0.0
    """Probability with which a training step drops each pixel."""
    init_scale: Annotated[Positive, Absent(1.0)] = 1.0
    """Factor of the initial weights and biases."""
    label_smoothing: Annotated[Below1, Absent(0.0)] = 0.0
    """Share e of each label that the loss trained on spreads over all classes: (1 - e) y + e/K."""

    @model_validator(mode="after")
    def _smoothing_of_losses_that_have_it(self) -> Self:
        if self.label_smoothing and names.LOSS.is_outside(self.loss):
            hint = "a loss of your own is given labels, so smooth them in it"
            raise BadInput("label_smoothing", f"0 with {self.loss}", self.label_smoothing, hint)
        return self


class Stop(Settings):
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


class AdamSettings(Settings):
    """Arguments of this package's Adam (Kingma & Ba, 2015, Algorithm 1)."""

    lr: Positive = 1e-3
    """The step size, the paper's alpha."""
    betas: Annotated[
        tuple[Beta, Beta], Strict(False), Says("two numbers in [0, 1), e.g. [0.9, 0.999]")
    ] = (0.9, 0.999)
    """Decay rates of the first and second moment's running means."""
    eps: Positive = 1e-8
    """Added to the root of the second moment."""
    weight_decay: Annotated[float, Field(ge=0), Says("a number of at least 0")] = 0.0
    """Strength of weight decay."""
    decoupled_weight_decay: Switch = False
    """Shrink the weights (AdamW) instead of adding to the gradient (L2)."""
    fused: Switch = True
    """Use torch's fused kernel for the update; false runs the algorithm as written here."""


def sound(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return arguments of a class; raise `BadInput` for one that no class means."""
    for name, value in arguments.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInput(name, "a finite number", value)
        if value == "off":  # false in YAML 1.1; as text it would count as true
            raise BadInput(name, "true or false", value)
    return arguments


Arguments = Annotated[
    dict[str, Any], AfterValidator(sound), Says("a mapping of argument names to values")
]


class Schedule(Settings):
    """How the learning rate changes while a run trains."""

    class_path: Annotated[str, names.SCHEDULE]
    """The import path of one of torch's schedules, or of a function that returns one."""
    init_args: Arguments = {}
    """Its arguments, all but the optimizer."""
    interval: Literal["epoch", "step"] = "epoch"
    """How often it takes a step."""


class Optimizer(Settings, extra="allow"):
    """An optimizer by class and arguments; this package's Adam unless another is named.

    Arguments are given by their names or as ``init_args``, as in a config.
    """

    class_path: Annotated[str, names.OPTIMIZER] = ADAM
    """study.Adam, or the import path of any torch optimizer; beside it stand its arguments."""
    schedule: Annotated[
        Schedule | None,
        Absent(None),
        Says("a mapping with class_path, init_args and interval (epoch or step), or null"),
    ] = None
    """How the learning rate changes; null keeps it constant."""

    def __init__(
        self, class_path: str = ADAM, init_args: Any = None, schedule: Any = None, **arguments: Any
    ) -> None:
        class_path = names.OPTIMIZER.check(class_path, "class_path")
        if not isinstance(init_args, Mapping | None):
            raise BadInput("init_args", "a mapping of argument names to values", init_args)
        for name in {*arguments, "schedule"} & (init_args or {}).keys():
            raise BadInput(name, "one value", hint="it is both in init_args and beside it")
        arguments |= init_args or {}
        for name in arguments:
            if name.startswith("schedule."):
                hint = "give --optimizer.schedule '{class_path: ..., init_args: {...}}'"
                raise BadInput(name, "the schedule as a whole", arguments[name], hint)
        if class_path == ADAM:
            arguments = dict(AdamSettings(**arguments))
        given = {"class_path": class_path, "schedule": schedule}
        super().__init__(**given, **dict(sorted(sound(arguments).items())))

    @property
    def init_args(self) -> dict[str, Any]:
        """The arguments of the class, all but the parameters."""
        return dict(self.model_extra or {})

    @classmethod
    @cache
    def declared(cls) -> dict[str, FieldInfo]:
        """Return the class and the arguments of this package's Adam."""
        return cls.model_fields | AdamSettings.declared()


class ClassSpec(TypedDict):
    """A class of the user's, and what it is made with."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    class_path: Annotated[str, Field(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)+$")]
    init_args: NotRequired[dict[str, Any] | None]


Classes = Annotated[
    list[ClassSpec], NO_FACT, Says("a list of mappings with class_path (a.B) and init_args")
]


class Trainer(Settings):
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


# Text of up to so many characters, none of which is a control character or is invisible.
UNSEEN = r"\x00-\x1f\x7f-\xa0\xad\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
Tag = Annotated[str, Field(pattern=rf"^[^{UNSEEN}]{{1,64}}$")]


class Wandb(Settings):
    """Where the runs of a study appear in Weights & Biases; no fact of any run."""

    mode: Literal["offline", "online", "off"] = "offline"
    """Files in the study's folder for `wandb sync`; live on the server; or nothing at all."""
    project: Annotated[
        str,
        Field(pattern=rf"^[^/\\#?%:{UNSEEN}]{{1,128}}$"),
        Says("a printable name of at most 128 characters without / \\ # ? % :"),
    ] = "study"
    """The project."""
    entity: Annotated[
        str | None, Field(pattern=r"^[\w.-]+$"), Says("the name of a user or team, or null")
    ] = None
    """The user or team; null takes the account's own."""
    group: Annotated[
        str | None,
        Field(pattern=rf"^[^{UNSEEN}]{{1,128}}$"),
        Says("a printable name of at most 128 characters, or null"),
    ] = None
    """Groups the study's runs; null takes the study's name."""
    tags: Annotated[list[Tag], Says("a list of printable names of at most 64 characters")] = []
    """Tags of every run."""
