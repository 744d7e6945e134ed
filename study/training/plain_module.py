"""StudyModule: one run's network as an ordinary LightningModule, the specification of a run."""

from __future__ import annotations

import warnings
from typing import Any, cast

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from pytorch_lightning.utilities.types import LRSchedulerConfigType, OptimizerLRScheduler
from torch import Tensor

from study.base.errors import BadInput
from study.measures.metrics import metrics
from study.nn.dropout import PlainDropout
from study.nn.losses import loss_of
from study.nn.mlp import sequential
from study.nn.softmax import probabilities
from study.runs.run import Facts, Run
from study.training.examples import Batch
from study.training.optimizers import make_optimizer
from study.training.plain_data import StudyData, run_of
from study.training.schedules import make_schedule
from study.training.stack_evaluation import initial_weights


class StudyModule(pl.LightningModule):
    """One network, trained as any LightningModule is.

    Its hyperparameters are the run's facts, so that ``load_from_checkpoint(path)`` needs no more.

    Parameters
    ----------
    run
        A run, or its facts by dotted key.

    Examples
    --------
    >>> from study import Data, Model, StudyData
    >>> run = Run(data=Data(dataset="digits"), model=Model(hidden=(32,)))
    >>> trainer = pl.Trainer(max_epochs=2, logger=False, enable_checkpointing=False,
    ...                      enable_progress_bar=False, enable_model_summary=False)
    >>> module = StudyModule(run)
    >>> trainer.fit(module, StudyData(run))
    >>> module(torch.zeros(5, 64)).shape
    torch.Size([5, 10])
    """

    def __init__(self, run: Facts | Run) -> None:
        super().__init__()
        self._run = run = run_of(run)
        self.save_hyperparameters(run.facts())
        self.network = sequential(initial_weights(run), run.model.activation)
        drops = (run.model.dropout, run.model.input_dropout)
        self.dropout = PlainDropout(self.network, run.seed, *drops)
        self.lr = run.optimizer.init_args.get("lr")  # Lightning's tuners set these two
        self.batch_size = run.data.batch_size

    @property
    def run(self) -> Run:
        """The run that this module trains; `BadInput` is raised if a tuner has changed a fact."""
        for key, value in self.changed.items():
            hint = "a tuner has changed it; run.with_settings(module.changed) is another run"
            raise BadInput(key, f"{self.hparams.get(key)}, as the run's", value, hint)
        return self._run

    @property
    def changed(self) -> Facts:
        """The facts that a tuner has changed, with their new values."""
        now = {"optimizer.lr": self.lr, "data.batch_size": self.batch_size}
        return {key: value for key, value in now.items() if value != self.hparams.get(key)}

    def forward(self, images: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch classes"]:
        """Return logits of the parameters' own precision, also in mixed precision."""
        dtype = next(self.parameters()).dtype
        return cast("Tensor", self.network(images.to(dtype))).to(dtype)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of softmax(logits), which sends its gradient back by the run's rule."""
        (images, labels), model = batch, self._run.model
        batches = -(-self._run.data.examples // self.batch_size)
        self.dropout.number = self.current_epoch * batches + batch_idx
        loss = loss_of(self(images), labels, model.loss, model.backward, model.label_smoothing)
        self.log("train_loss", loss, prog_bar=True, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Make the run's optimizer and schedule, with the step size that a tuner may have set."""
        settings = self._run.with_settings({"optimizer.lr": self.lr} if self.lr else {}).optimizer
        optimizer = make_optimizer(settings, self.parameters())
        if (schedule := make_schedule(settings, optimizer)) is None or settings.schedule is None:
            return optimizer
        how = LRSchedulerConfigType(scheduler=schedule, interval=settings.schedule.interval)
        return {"optimizer": optimizer, "lr_scheduler": how}

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as the Trainer says or, where it says nothing, as the run does."""
        own, how = self._run.trainer, (gradient_clip_val, gradient_clip_algorithm)
        if gradient_clip_val is None and own.gradient_clip_val is not None:
            how = (own.gradient_clip_val, own.gradient_clip_algorithm)
        self.clip_gradients(optimizer, *how)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log metrics as ``val_…``."""
        self._log_metrics("val", batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Log metrics as ``test_…``."""
        self._log_metrics("test", batch)

    def predict_step(self, batch: Batch, batch_idx: int) -> Float[Tensor, "batch classes"]:
        """Return probabilities."""
        return probabilities(self(batch[0]))

    def _log_metrics(self, part: str, batch: Batch) -> None:
        found = metrics(self(batch[0]), batch[1])
        self.log_dict({f"{part}_{name}": value for name, value in found.items()}, sync_dist=True)

    def setup(self, stage: str) -> None:
        """Raise `BadInput` for the data of another run; take this process's share of the masks."""
        self.dropout.rank, self.dropout.processes = self.global_rank, self.trainer.world_size
        data = getattr(self.trainer, "datamodule", None)
        theirs = data.facts if isinstance(data, StudyData) else {}
        ours = {**self.hparams, **self.changed}
        if differing := {key: value for key, value in theirs.items() if ours.get(key) != value}:
            raise BadInput("StudyData", "data of the module's run", differing, "give both one run")

    def on_train_start(self) -> None:
        """Warn when a tuner has changed a fact."""
        for key, value in self.changed.items():
            warnings.warn(f"no longer run {self._run.id}: a tuner set {key}={value}", stacklevel=1)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say what a tuner has changed, and which argument the hyperparameters are."""
        checkpoint["changed"], checkpoint["run"] = self.changed, self._run.id
        checkpoint[self.CHECKPOINT_HYPER_PARAMS_NAME] = "run"

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over what a tuner had changed; raise `BadInput` for another run's checkpoint."""
        if checkpoint["run"] != self._run.id:
            raise BadInput("ckpt_path", f"a checkpoint of run {self._run.id}", checkpoint["run"])
        now = {"optimizer.lr": self.lr, "data.batch_size": self.batch_size}
        self.lr, self.batch_size = (now | checkpoint["changed"]).values()
