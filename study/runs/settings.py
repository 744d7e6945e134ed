"""What a run is made of, by subject: data, model, stop, trainer; each value checked."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from study.base.errors import (
    BadInput,
    check_fields,
    choice,
    is_import_path,
    is_number,
    is_path,
    is_positive,
    is_whole,
    setting,
    unknown_key,
)
from study.data.sources import SOURCES


def _sizes(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(is_whole(size, 1) for size in value)


@dataclass(frozen=True)
class Data:
    """What the network sees.

    Attributes
    ----------
    dataset : str
        Where images and labels come from.
    root : str
        Folder with downloaded data sets, laid out as torchvision does.
    label_noise : float
        Probability with which each training label is redrawn at random.
    label_scheme : {'uniform', 'permuted'}
        Redrawn labels are drawn uniformly over the classes, or are the old ones permuted among all
        redrawn examples of the source.
    inputs : {'original', 'shuffled_pixels', 'random_pixels', 'gaussian'}
        Images as they are; with one pixel permutation for all; with one an image; or noise of the
        data set's mean and variance.
    train_examples : int or None
        Size of a random subset to train on; None trains on all.
    normalize : {'none', 'dataset', 'image'}
        Pixels in [0, 1]; standardised by the mean and deviation of the source's training images;
        or by each image's own.
    batch_size : int
        Examples in a training step.
    """

    dataset: str = choice("mnist5k", *SOURCES)
    root: str = setting("data", "a folder", is_path, fact=False)
    label_noise: float = setting(0.0, "a probability in [0, 1]", lambda v: is_number(v, 0, 1))
    label_scheme: Literal["uniform", "permuted"] = choice("uniform", "uniform", "permuted")
    inputs: Literal["original", "shuffled_pixels", "random_pixels", "gaussian"] = choice(
        "original", "original", "shuffled_pixels", "random_pixels", "gaussian"
    )
    train_examples: int | None = setting(
        None, "a number of examples of at least 1, or null", lambda v: v is None or is_whole(v, 1)
    )
    normalize: Literal["none", "dataset", "image"] = choice("dataset", "none", "dataset", "image")
    batch_size: int = setting(100, "a whole number of at least 1", lambda v: is_whole(v, 1))

    def __post_init__(self) -> None:
        check_fields(self)
        available = SOURCES[self.dataset].train_examples
        if self.train_examples is not None and self.train_examples > available:
            raise BadInput(
                "train_examples",
                f"at most the {available} training examples of {self.dataset}",
                self.train_examples,
            )
        if self.batch_size > self.examples:
            raise BadInput(
                "batch_size", f"at most the {self.examples} training examples", self.batch_size
            )

    @property
    def examples(self) -> int:
        """How many examples a run trains on."""
        return self.train_examples or SOURCES[self.dataset].train_examples


@dataclass(frozen=True)
class Model:
    """The network, its loss, and how the gradient gets back through both.

    Attributes
    ----------
    hidden : list of int
        Widths of the hidden layers; an empty list is a linear classifier.
    activation : {'relu', 'tanh', 'gelu', 'sigmoid'}
        Non-linearity after each hidden layer.
    loss : {'cross_entropy', 'squared_error'}
        What is minimised, on probabilities.
    backward : {'jacobian', 'identity', 'autograd', 'fused'}
        What the gradient does at softmax: multiplied by the derived Jacobian; passed through as if
        there were no softmax; PyTorch's own backward; or softmax and loss as one function.
    gradients : {'derived', 'autograd'}
        The network's gradients by the hand-written derivation, or by PyTorch.
    """

    hidden: tuple[int, ...] = setting(
        (256,), "a list of layer widths of at least 1, e.g. [256]", _sizes
    )
    activation: Literal["relu", "tanh", "gelu", "sigmoid"] = choice(
        "relu", "relu", "tanh", "gelu", "sigmoid"
    )
    loss: Literal["cross_entropy", "squared_error"] = choice(
        "cross_entropy", "cross_entropy", "squared_error"
    )
    backward: Literal["jacobian", "identity", "autograd", "fused"] = choice(
        "jacobian", "jacobian", "identity", "autograd", "fused"
    )
    gradients: Literal["derived", "autograd"] = choice("derived", "derived", "autograd")

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "hidden", tuple(self.hidden))


@dataclass(frozen=True)
class Stop:
    """When a run has fitted and may end early: once all that is given here holds.

    Attributes
    ----------
    train_accuracy : float or None
        Accuracy on the labels trained on that counts as fitted.
    train_cross_entropy : float or None
        Cross-entropy on the labels trained on, in nats, to fall to.
    """

    train_accuracy: float | None = setting(
        None, "a fraction in [0, 1], or null", lambda v: v is None or is_number(v, 0, 1)
    )
    train_cross_entropy: float | None = setting(
        None, "a number above 0, or null", lambda v: v is None or is_positive(v)
    )

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def accuracy_to_fit(self) -> float:
        """Accuracy on the labels trained on from which a run counts as fitted."""
        return 1.0 if self.train_accuracy is None else self.train_accuracy


def _classes(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(item, Mapping)
        and is_import_path(item.get("class_path"))
        and isinstance(item.get("init_args") or {}, Mapping)
        and set(item) <= {"class_path", "init_args"}
        for item in value
    )


@dataclass(frozen=True)
class Trainer:
    """Lightning's Trainer: the arguments a study uses, under Lightning's names.

    Attributes
    ----------
    max_epochs : int
        Longest training, in passes over the training examples.
    accelerator : {'auto', 'cpu', 'gpu', 'cuda'}
        Where to train.
    precision : {'32-true', '64-true', 'bf16-mixed'}
        Lightning's precision setting; bf16-mixed needs model.gradients: autograd.
    gradient_clip_val : float or None
        Bound on each run's own gradient.
    gradient_clip_algorithm : {'norm', 'value'}
        Bound the norm over a run's parameters, or each element.
    callbacks : list
        Lightning callbacks, each a mapping with class_path and init_args.
    logger : list
        Lightning loggers, each a mapping with class_path and init_args.
    """

    max_epochs: int = setting(100, "a whole number of at least 1", lambda v: is_whole(v, 1))
    accelerator: Literal["auto", "cpu", "gpu", "cuda"] = choice(
        "auto", "auto", "cpu", "gpu", "cuda", fact=False
    )
    precision: Literal["32-true", "64-true", "bf16-mixed"] = choice(
        "32-true", "32-true", "64-true", "bf16-mixed"
    )
    gradient_clip_val: float | None = setting(
        None, "a number above 0, or null", lambda v: v is None or is_positive(v)
    )
    gradient_clip_algorithm: Literal["norm", "value"] = choice("norm", "norm", "value")
    callbacks: list[dict[str, Any]] = setting(
        [], "a list of mappings with class_path (a.B) and init_args", _classes, fact=False
    )
    logger: list[dict[str, Any]] = setting(
        [], "a list of mappings with class_path (a.B) and init_args", _classes, fact=False
    )

    def __post_init__(self) -> None:
        check_fields(self)


def _texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(v, str) and v for v in value)


@dataclass(frozen=True)
class Wandb:
    """Where the runs of a study appear in Weights & Biases; no fact of any run.

    Attributes
    ----------
    mode : {'offline', 'online', 'off'}
        Files in the study's folder for `wandb sync`; live on the server; or nothing at all.
    project : str
        The project.
    entity : str or None
        The user or team; None takes the account's own.
    group : str or None
        Groups the study's runs; None takes the study's name.
    tags : list of str
        Tags of every run.
    """

    mode: Literal["offline", "online", "off"] = choice(
        "offline", "offline", "online", "off", fact=False
    )
    project: str = setting(
        "study",
        "a name of at most 128 characters without / \\ # ? % :",
        lambda v: isinstance(v, str) and re.fullmatch(r"[^/\\#?%:\n]{1,128}", v) is not None,
        fact=False,
    )
    entity: str | None = setting(
        None,
        "the name of a user or team, or null",
        lambda v: v is None or (isinstance(v, str) and re.fullmatch(r"[\w.-]+", v) is not None),
        fact=False,
    )
    group: str | None = setting(
        None,
        "a name of at most 128 characters, or null",
        lambda v: v is None or (isinstance(v, str) and 0 < len(v) <= 128),
        fact=False,
    )
    tags: list[str] = setting(
        [],
        "a list of names of at most 64 characters",
        lambda v: _texts(v) and all(len(tag) <= 64 for tag in v),
        fact=False,
    )

    def __post_init__(self) -> None:
        check_fields(self)


def make_settings(subject: str, make: type, settings: Mapping[str, Any]) -> Any:
    """Make one subject's settings; faults name their dotted key."""
    names = [field.name for field in dataclasses.fields(make)]
    for key in settings:
        if key not in names:
            raise unknown_key(f"{subject}.{key}", [f"{subject}.{name}" for name in names])
    try:
        return make(**settings)
    except BadInput as fault:
        raise fault.under(subject) from None
