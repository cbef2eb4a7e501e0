"""What of a vertical's raw tables reaches the stages that tell of them."""

from kedro.pipeline import Node, Pipeline

from lepton_pipeline.pipelines import features
from lepton_pipeline.pipelines.training import create_pipeline


def test_records_of_reading_raw_tables_reach_the_columns_and_the_report(monkeypatch):
    rows = features.create_pipeline("finance", labelled=True)
    read = Pipeline([Node(lambda: {}, None, "reading", name="note_reading")], namespace="lines")
    monkeypatch.setattr(features, "create_pipeline", lambda vertical, labelled: rows + read)
    nodes = {node.name: node for node in create_pipeline("finance").nodes}
    for name in ("finance.describe_columns", "finance.write_report"):
        assert "finance.lines.reading" in nodes[name].inputs
