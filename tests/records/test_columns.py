"""The sentences about columns."""

from __future__ import annotations

from study.records.columns import HISTORY, RUN, history_columns, run_columns
from study.runs.run import fact_keys


def test_every_column_that_is_no_fact_has_a_sentence() -> None:
    assert set(run_columns()) - set(fact_keys()) == set(RUN) | set(history_columns()[2:])
    assert set(history_columns()) <= set(HISTORY)
    assert all(sentence.endswith(".") for sentence in [*RUN.values(), *HISTORY.values()])
