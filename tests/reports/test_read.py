"""Reports read the records of this version and of earlier ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from reports.read import exact_gradient, read

FORMAT1 = Path(__file__).parents[1] / "data_folders" / "format1"


def test_the_exact_gradient_is_taken_where_there_is_one_and_the_earlier_one_elsewhere() -> None:
    history = pd.DataFrame(
        {
            "gradient_exact_cosine": [0.5, np.nan],
            "gradient_exact_norm": [2.0, np.nan],
            "gradient_cosine": [np.nan, 0.25],
        }
    )
    found = exact_gradient(history)
    assert found["cosine"].tolist() == [0.5, 0.25]
    assert found["norm"][0] == 2
    assert np.isnan(found["norm"][1])


def test_a_folder_of_an_earlier_version_has_its_own_gradient() -> None:
    history = read([FORMAT1]).history
    found = exact_gradient(history)
    assert found["cosine"].tolist() == history["gradient_cosine"].tolist()
    assert found["norm"].tolist() == history["gradient_true_norm"].tolist()
