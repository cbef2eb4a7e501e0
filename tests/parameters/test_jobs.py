from __future__ import annotations

import pytest
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.parameters.jobs import Job, name_problem
from lepton_pipeline.project.declaration import find_verticals


@pytest.mark.parametrize(
    ("name", "vertical", "purpose"),
    [
        ("finance", "finance", "training"),
        ("finance_scoring", "finance", "scoring"),
        ("loan_book_monitoring", "loan_book", "monitoring"),
        ("credit_risk", "credit_risk", "training"),
        # A word alone is a vertical's name.
        ("scoring", "scoring", "training"),
        ("scoring_scoring", "scoring", "scoring"),
    ],
)
def test_a_name_says_vertical_and_purpose(name, vertical, purpose):
    assert Job.named(name) == Job(vertical, purpose)
    assert Job(vertical, purpose).name == name


@pytest.mark.parametrize("purpose", ["training", "scoring", "monitoring", "retraining", "backfill", "tuning"])
def test_a_node_says_which_job_it_is_part_of(purpose):
    tags = None if purpose == "training" else purpose
    node = Pipeline([Node(len, "a", "b", name="count")], namespace="shop", tags=tags).nodes[0]
    assert Job.of(node) == Job("shop", purpose)
    nested = Pipeline(
        Pipeline([Node(len, "a", "b", name="count")], namespace="table"), namespace="shop", tags=tags
    )
    assert Job.of(nested.nodes[0]) == Job("shop", purpose)


def test_a_vertical_cannot_have_the_name_of_a_pipeline(tmp_path):
    assert name_problem("finance") is None
    assert "_monitoring" in str(name_problem("finance_monitoring"))
    (tmp_path / "shop_scoring").mkdir()
    (tmp_path / "shop_scoring/parameters.yml").touch()
    with pytest.raises(
        ConfigurationError, match=r"shop_scoring cannot be a vertical: names that end in _scoring"
    ):
        find_verticals(tmp_path)
