import logging
import math

import pytest
import torch

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.model.networks import fit as module
from lepton_pipeline.model.networks.fit import Lesson, Part, fit
from lepton_pipeline.model.networks.network import combine_blocks
from lepton_pipeline.model.networks.perceptron import Perceptron
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.model.networks.step import Rows, Step
from lepton_pipeline.parameters import Training
from lepton_pipeline.tasks import binary
from lepton_pipeline.tasks.binary import Binary

SHAPE = Shape(numeric=2, category_levels=(), members=1, bins=1, embedding=1, layers=1, width=8, dropout=0.0)
BINARY = Binary()
NOTHING = torch.empty(0, dtype=torch.int64)


def make_rows(n=300):
    generator = torch.Generator().manual_seed(0)
    numeric = torch.randn(n, 2, generator=generator)
    chance = torch.sigmoid(2 * numeric[:, 0] * numeric[:, 1])
    labels = (torch.rand(n, generator=generator) < chance).float()
    return Rows(numeric, torch.empty(n, 0, dtype=torch.int32), labels)


def make_network(networks=1):
    torch.manual_seed(0)
    return Perceptron(SHAPE, networks)


def training(**changes):
    declared = {"epochs": 12, "patience": 12, "learning_rate": 3e-2, "device": "cpu", "precision": "fp32"}
    return Training(**declared | changes)


def parts(*ends):
    """One part each: trained on the rows before the first end, stopped by those up to the second."""
    return [Part(torch.arange(start), torch.arange(start, end)) for start, end in ends]


def log_loss_and_auc(network, rows, held_out, number=0):
    """Of logits shifted to the base rate."""
    from sklearn.metrics import log_loss, roc_auc_score

    labels = rows.targets[held_out].numpy()
    scores = combine_blocks(
        network, rows.numeric[None, held_out], rows.codes[None, held_out], BINARY.combine
    )[number].numpy()
    levelled = BINARY.from_outputs(BINARY.levelled(BINARY.to_outputs(scores), labels))
    return log_loss(labels, levelled), roc_auc_score(labels, scores)


def weights(network):
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.fixture
def passed(monkeypatch):
    """The orders in which the rows are passed, one a pass."""
    orders = []
    run = Step.run

    def record(self, order):
        orders.append(order.clone())
        return run(self, order)

    monkeypatch.setattr(Step, "run", record)
    return orders


def test_each_network_ends_with_its_best_epoch_by_its_own_held_out_rows():
    """The held-out rows differ in number, so those of two networks are padded."""
    rows, network = make_rows(), make_network(3)
    own = parts((100, 120), (80, 250), (200, 300))
    epochs = fit(network, Lesson(BINARY, rows, own), training(learning_rate=0.2), 16)
    assert len({(epoch.network, epoch.number) for epoch in epochs}) == len(epochs) == 36
    ended = []
    for number, part in enumerate(own):
        mine = [epoch for epoch in epochs if epoch.network == number + 1]
        best = min(mine, key=lambda epoch: epoch.validation_loss)
        assert [epoch.number for epoch in mine] == list(range(1, 13))
        assert [epoch for epoch in mine if epoch.best][-1] == best
        seen = log_loss_and_auc(network, rows, part.held_out, number)
        assert seen == pytest.approx((best.validation_loss, best.validation_figure), rel=1e-6)
        ended.append(best.number)
    assert len(set(ended)) > 1, "the example must have networks that end in different epochs"
    assert min(ended) < 12


def test_a_network_stops_when_its_patience_is_spent_and_the_others_go_on():
    rows, network = make_rows(), make_network(2)
    # With 20 rows the second soon knows them by heart.
    own = [Part(torch.arange(200), torch.arange(200, 300)), Part(torch.arange(20), torch.arange(200, 300))]
    epochs = fit(network, Lesson(BINARY, rows, own), training(epochs=60, patience=3, learning_rate=2e-2), 16)
    lengths = []
    for number in (1, 2):
        mine = [epoch for epoch in epochs if epoch.network == number]
        best = min(mine, key=lambda epoch: epoch.validation_loss)
        assert len(mine) == best.number + 3 < 60
        lengths.append(len(mine))
    assert lengths[0] != lengths[1]


def test_networks_side_by_side_stop_as_each_alone_would():
    """With whole passes as batches the order of rows means nothing, so a network takes the same steps alone."""
    rows = make_rows(250)
    own = [
        Part(torch.arange(100), torch.arange(200, 220)),
        Part(torch.arange(100, 200), torch.arange(200, 250)),
    ]
    declared = training(epochs=60, patience=4, learning_rate=0.1)
    together = make_network(2)
    alone = [Perceptron(SHAPE) for _ in own]
    for number, network in enumerate(alone):
        network.load_state_dict({name: v[number : number + 1] for name, v in together.state_dict().items()})
    epochs = fit(together, Lesson(BINARY, rows, own), declared, 100)
    for number, (network, part) in enumerate(zip(alone, own, strict=True)):
        single = fit(network, Lesson(BINARY, rows, [part]), declared, 100)
        mine = [epoch for epoch in epochs if epoch.network == number + 1]
        assert [epoch.number for epoch in mine] == [epoch.number for epoch in single]
        assert [epoch.train_loss for epoch in mine] == pytest.approx(
            [epoch.train_loss for epoch in single], rel=1e-3
        )
        for name, value in network.named_parameters():
            torch.testing.assert_close(
                dict(together.named_parameters())[name][number], value[0], rtol=1e-2, atol=1e-3
            )


def test_every_row_is_passed_in_every_epoch_in_an_order_of_its_own(passed):
    own = [
        Part(torch.arange(0, 100), torch.arange(200, 220)),
        Part(torch.arange(100, 170), torch.arange(200, 220)),
    ]
    fit(make_network(2), Lesson(BINARY, make_rows(), own), training(epochs=3), 32)
    assert [order.shape for order in passed] == [(2, 128)] * 3
    for order in passed:
        for mine, part in zip(order, own, strict=True):
            times = torch.bincount(mine, minlength=300)[part.train]
            assert set(times.tolist()) == {1, 2}, "the last batch is filled with rows that come again"
            assert times.sum() == 128
            assert not torch.equal(mine[: len(part.train)], part.train)
    assert not torch.equal(passed[0], passed[1])


def test_the_seed_decides_the_order(passed):
    for seed in (1, 1, 2):
        fit(make_network(), Lesson(BINARY, make_rows(), parts((100, 120))), training(epochs=1, seed=seed), 32)
    assert torch.equal(passed[0], passed[1])
    assert not torch.equal(passed[0], passed[2])


def test_fewer_rows_than_a_batch_are_one_step(passed):
    fit(make_network(), Lesson(BINARY, make_rows(), parts((5, 20))), training(epochs=1), 32)
    assert passed[0].shape == (1, 32)


def test_without_held_out_rows_all_epochs_are_run_and_the_last_ones_mean_is_kept():
    rows, network, same = make_rows(), make_network(), make_network()
    epochs = fit(
        network, Lesson(BINARY, rows, [Part(torch.arange(100), NOTHING)]), training(epochs=9, patience=2), 16
    )
    assert [epoch.number for epoch in epochs] == list(range(1, 10))
    assert all(math.isnan(epoch.validation_loss) and math.isnan(epoch.validation_figure) for epoch in epochs)
    step = Step(same, BINARY, rows, training(), 16)
    generator = torch.Generator().manual_seed(training().seed)
    for _ in range(9):
        order = torch.randperm(100, generator=generator)
        step.run(torch.cat([order, order])[None, :112])
    assert torch.equal(weights(network), weights(step.averaged))


def test_the_area_under_the_curve_counts_ties_by_half():
    from sklearn.metrics import roc_auc_score

    scores = torch.tensor([0.1, 0.4, 0.4, 0.4, 0.7, 0.7, 0.2], dtype=torch.float64)
    labels = torch.tensor([0, 1, 0, 0, 1, 0, 1])
    area = binary._auc(scores[labels == 1], scores[labels == 0])
    assert area.item() == pytest.approx(roc_auc_score(labels, scores))


def test_held_out_rows_of_one_class_have_no_area_but_a_loss():
    rows = make_rows()
    positive = (rows.targets[200:] == 1).nonzero().flatten() + 200
    epochs = fit(
        make_network(), Lesson(BINARY, rows, [Part(torch.arange(200), positive)]), training(epochs=2), 64
    )
    assert all(math.isnan(epoch.validation_figure) and epoch.validation_loss > 0 for epoch in epochs)


def test_balanced_classes_are_weighed_by_the_rows_each_network_is_trained_on(monkeypatch):
    given = []

    class Seen(Step):
        def __init__(self, *arguments):
            given.append(arguments[5])
            super().__init__(*arguments)

    monkeypatch.setattr(module, "Step", Seen)
    rows, own = make_rows(), parts((100, 120), (60, 250))
    for balance in ("balanced", "none"):
        fit(make_network(2), Lesson(BINARY, rows, own), training(epochs=1, class_weight=balance), 32)
    assert given[1] is None
    for number, part in enumerate(own):
        assert torch.equal(given[0][number], BINARY.class_weights(rows.targets, part.train))
        assert given[0][number, part.train].mean().item() == pytest.approx(1)


def test_a_patience_of_one_still_sees_the_epoch_after_the_best():
    epochs = fit(
        make_network(),
        Lesson(BINARY, make_rows(), parts((200, 300))),
        training(patience=1, learning_rate=1e-3),
        16,
    )
    assert len(epochs) == 12, "every epoch of so slow a training is better than the one before"


def test_every_epoch_is_reported_as_it_ends():
    seen = []
    epochs = fit(
        make_network(2),
        Lesson(BINARY, make_rows(), parts((100, 120), (60, 90))),
        training(epochs=3),
        32,
        seen.append,
    )
    assert seen == epochs
    assert [(epoch.number, epoch.network) for epoch in seen] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
        (3, 1),
        (3, 2),
    ]


def test_divergence_is_an_error_with_the_remedy():
    with pytest.raises(
        LeptonError,
        match=r"diverged: in epoch 1 the .* Lower training.learning_rate \(now 1e\+30\), .* to 1e\+29",
    ):
        fit(make_network(), Lesson(BINARY, make_rows(), parts((100, 120))), training(learning_rate=1e30), 16)


class Memory:
    """A card that has memory for a step of so many rows, and notices it in the second pass only."""

    def __init__(self, monkeypatch, largest):
        run = Step.run
        self.tried = []

        def limited(step, order):
            self.tried.append(step.batch_size)
            losses = run(step, order)
            if step.batch_size > largest and self.tried.count(step.batch_size) == 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return losses

        monkeypatch.setattr(Step, "run", limited)


def test_without_memory_the_batch_is_halved_and_training_starts_again(monkeypatch, caplog):
    rows, own = make_rows(), parts((100, 150))
    expected = make_network()
    epochs = fit(expected, Lesson(BINARY, rows, own), training(epochs=3), 16)
    memory, network = Memory(monkeypatch, largest=16), make_network()
    with caplog.at_level(logging.WARNING):
        assert fit(network, Lesson(BINARY, rows, own), training(epochs=3), 64) == epochs
    assert memory.tried == [64, 64, 32, 32, 16, 16, 16]
    assert torch.equal(weights(network), weights(expected)), "it starts again from the first weights"
    assert [record.getMessage() for record in caplog.records] == [
        f"the card has no memory for a step; starting again with {size} rows a step (training.batch_size)"
        for size in (32, 16)
    ]


def test_where_two_rows_do_not_fit_the_error_stays(monkeypatch):
    memory = Memory(monkeypatch, largest=1)
    with pytest.raises(torch.OutOfMemoryError):
        fit(make_network(), Lesson(BINARY, make_rows(), parts((100, 150))), training(), 8)
    assert sorted(set(memory.tried)) == [2, 4, 8]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card")
def test_on_a_card_without_memory_for_the_batch_it_is_halved(caplog):
    """Almost all memory is closed to this process, so the first batch sizes cannot fit."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    data = make_rows(1 << 20)
    rows = Rows(data.numeric.cuda(), data.codes.cuda(), data.targets.cuda())
    shape = Shape(2, (), members=1, bins=1, embedding=1, layers=4, width=512, dropout=0.0)
    torch.manual_seed(0)
    network = Perceptron(shape).cuda()
    own = [Part(torch.arange(1 << 20).cuda(), torch.arange(1000).cuda())]
    # Four layers of 512 units of 2^20 rows are 8 GiB, forward alone.
    torch.cuda.set_per_process_memory_fraction((1 << 31) / total)
    try:
        with caplog.at_level(logging.WARNING):
            epochs = fit(network, Lesson(BINARY, rows, own), training(epochs=1, device="cuda"), 1 << 20)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "starting again with 524288 rows a step" in caplog.records[0].getMessage()
    assert math.isfinite(epochs[0].validation_loss)
