"""What the reason of a column without a value that repeats offers."""

import pandas as pd

from lepton_pipeline.features.encode import fit_columns
from lepton_pipeline.parameters import Dataset


def test_a_column_of_rare_values_is_offered_as_text_only_if_it_is_language():
    table = pd.DataFrame(
        {
            "title": [f"A quiet room near the river, house {n} of the old town" for n in range(100)],
            "code": [f"AB-{n}" for n in range(100)],
            "size": range(100),
            "y": [0, 1] * 50,
        }
    )
    columns, dropped = fit_columns(table, Dataset(target="y", positive=1))
    assert [column.name for column in columns] == ["size"]
    assert dropped == {
        "title": "every value is rare; declare it in dataset.text if it is written language",
        "code": "every value is rare",
    }
