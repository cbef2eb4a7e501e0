"""What of a vertical's raw tables reaches the stages that tell of them."""

from kedro.pipeline import Node, Pipeline

from lepton_pipeline.pipelines import features, scoring
from lepton_pipeline.pipelines.training import create_pipeline


def test_records_of_reading_raw_tables_reach_the_columns_and_the_report(monkeypatch):
    rows = features.create_pipeline("finance", labelled=True)
    read = Pipeline([Node(lambda: {}, None, "reading", name="note_reading")], namespace="lines")
    monkeypatch.setattr(features, "create_pipeline", lambda vertical, labelled: rows + read)
    nodes = {node.name: node for node in create_pipeline("finance").nodes}
    for name in ("finance.describe_columns", "finance.write_report"):
        assert "finance.lines.reading" in nodes[name].inputs


def test_a_single_raw_table_of_interactions_becomes_pairs_that_are_ranked(monkeypatch):
    declared = {"recommendation": {"customer": "who"}, "tables": {"sales": {}}}
    monkeypatch.setattr(features, "_declared", lambda vertical: declared)
    made = features.create_pipeline("shop", labelled=True)
    assert {"interactions", "pairs", "table", "checked_sales"} <= made.datasets()
    nodes = {node.name: node for node in create_pipeline("shop").nodes}
    assert "shop.ranking" in nodes["shop.write_report"].inputs
    assert "shop.interactions" in nodes["shop.measure_ranking"].inputs
    offered = scoring.create_pipeline("shop")
    assert {"shop.batch_scores", "shop.scoring_record"} <= offered.all_outputs()
    assert not any("make_pairs" in node.name for node in offered.nodes)


def test_others_rank_nothing():
    assert not any("ranking" in name for name in create_pipeline("finance").datasets())
