"""Rows of no class are known to the monitoring like those that were learnt from."""

from tasks.shops import request_shop

from lepton_pipeline.data.labels import OUTSIDE
from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.operations.monitoring.new_rows import learnt_rows, score_new_rows
from lepton_pipeline.operations.monitoring.reference import Reference, describe_reference


def test_those_of_the_training_are_not_new_and_a_later_one_is():
    shop = request_shop()
    seen = TrainingRows.of(shop.table, shop.split.assign(part="train"), shop.artefact.inputs, shop.dataset)
    assert score_new_rows(shop.table, shop.artefact, seen, None, shop.dataset).empty
    later = shop.table.copy()
    row = later.index[later["intent"] == "oos"][0]
    later.loc[row, "text"] = "where is the moon"
    found = score_new_rows(later, shop.artefact, seen, None, shop.dataset)
    assert found.index.tolist() == [row]
    assert found["label"].isna().all()
    assert "unread" not in found


def test_those_that_chose_when_to_hand_over_are_compared_with():
    shop = request_shop()
    chosen = shop.split["part"].isin(["train", "validation", OUTSIDE["validation"]])
    learnt = TrainingRows.of(shop.table, shop.split, shop.artefact.inputs, shop.dataset)
    assert len(learnt.hashes) == chosen.sum()
    assert learnt_rows(shop.table, learnt, shop.dataset, shop.artefact.task).index.equals(
        shop.table.index[chosen]
    )
    model, encoder = shop.artefact.predictor, shop.artefact.encoder
    kept = describe_reference(shop.table, shop.split, shop.scores, model, encoder, shop.dataset, shop.outside)
    words = next(column for column in Reference.from_dict(kept).columns if column.name == "text")
    assert words.rows + words.missing == chosen.sum()
