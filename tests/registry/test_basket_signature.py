"""What a version that ranks pairs says a client may send."""

from __future__ import annotations

from lepton_pipeline.registry.publish import signature_of


def test_a_client_sends_pairs_or_baskets():
    signature = signature_of({"ease": "double"}, {"probability": "double"}, baskets=True)
    assert {each.name: each.required for each in signature.inputs} == {"ease": False, "items": False}
    assert [each.name for each in signature.outputs] == [
        *("probability", "row", "rank", "item", "score", "reason", "reasons", "unseen"),
    ]


def test_others_send_rows_only():
    signature = signature_of({"age": "double"}, {"probability": "double"})
    assert {each.name: each.required for each in signature.inputs} == {"age": True}
    assert [each.name for each in signature.outputs] == ["probability", "reasons", "unseen"]
