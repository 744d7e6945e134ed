"""Where a run comes from: the sizes of its data set, and hashes of the user's own objects."""

from __future__ import annotations

import json
from typing import Any

from study.base.names import source_hash
from study.runs.run import Run


def data_sizes(run: Run) -> dict[str, Any]:
    """Return the sizes of a run's data set, so that reading a record resolves no name."""
    source = run.data.source
    return {
        "image_shape": json.dumps(source.shape),
        "classes": source.classes,
        "test_examples": source.test_examples,
    }


def outside_hashes(run: Run) -> str | None:
    """Return the sha256 of the source of each of the user's own objects, as JSON by its name."""
    names = sorted(name for _, name in run.outside().values())
    return json.dumps({name: source_hash(name) for name in names}) if names else None
