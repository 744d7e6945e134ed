"""Trains a run in two processes: its facts as JSON, and the folder for each process's weights."""

from __future__ import annotations

import json
import sys

import pytorch_lightning as pl
import torch

from study import Run, StudyData, StudyModule

if __name__ == "__main__":
    facts, folder = sys.argv[1:]
    run = Run.of(json.loads(facts))
    module = StudyModule(run)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, StudyData(run))
    torch.save(module.state_dict(), f"{folder}/{trainer.global_rank}.pt")
