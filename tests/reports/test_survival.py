"""The curve of Kaplan and Meier against a published one."""

from __future__ import annotations

import numpy as np
import pytest

from reports.survival import kaplan_meier


def test_kaplan_meier_is_the_textbooks() -> None:
    # Freireich et al. (1963), 6-mercaptopurine: weeks in remission, + censored.
    times = np.array([6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35])
    fitted = np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], dtype=bool)
    curve = kaplan_meier(times.astype(float), fitted)
    at = dict(zip(curve.time.tolist(), curve.share.tolist(), strict=True))
    published = {
        6.0: 0.857,
        7.0: 0.807,
        10.0: 0.753,
        13.0: 0.690,
        16.0: 0.627,
        22.0: 0.538,
        23.0: 0.448,
    }
    for week, share in published.items():
        assert at[week] == pytest.approx(share, abs=5e-4)
    assert (curve.low <= curve.share).all()
    assert (curve.share <= curve.high).all()


def test_kaplan_meier_of_runs_that_never_fit_stays_at_one() -> None:
    curve = kaplan_meier(np.array([5.0, 5.0]), np.array([False, False]))
    assert curve.share.tolist() == [1.0, 1.0]
