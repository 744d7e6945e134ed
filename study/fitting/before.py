"""What is tried before a study begins to train, so that nothing is written when it cannot."""

from __future__ import annotations

from collections.abc import Sequence

from study.data.prepare import DataCache
from study.records.writing import Folder
from study.runs.run import Run
from study.runs.study import Study


def check(study: Study, folder: Folder, pending: Sequence[Run], cache: DataCache) -> dict[str, str]:
    """Load the data, and make the Trainer and each optimizer that the runs name.

    Returns
    -------
    dict
        The checksum of each data set.

    Raises
    ------
    BadInput
        A data set is missing or not the one this study began with, or a class cannot be made.
    """
    from study.training.trainer import check_classes, quiet

    quiet()
    checksums = {run.data.dataset: cache.source(run.data)[1] for run in pending}
    for dataset, checksum in checksums.items():
        folder.check_source(dataset, checksum)
    if pending:
        check_classes(study, pending)
    return checksums
