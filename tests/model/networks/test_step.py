import logging
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from lepton_pipeline.model.networks import step as module
from lepton_pipeline.model.networks.members import Members
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.model.networks.step import Rows, Step, clip_gradients
from lepton_pipeline.parameters import Training
from lepton_pipeline.tasks.binary import Binary

SHAPE = Shape(numeric=2, category_levels=(5,), members=3, bins=4, embedding=3, layers=2, width=8, dropout=0.0)
BINARY = Binary()
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card")


def rows(n=64, device="cpu", levels=5):
    generator = torch.Generator().manual_seed(0)
    numeric = torch.randn(n, 2, generator=generator)
    codes = torch.randint(0, levels, (n, 1), generator=generator, dtype=torch.int32)
    labels = (numeric[:, 0] * numeric[:, 1] + (codes[:, 0] == 3) > 0.3).float()
    return Rows(numeric.to(device), codes.to(device), labels.to(device))


def network(networks=1, device="cpu", shape=SHAPE):
    torch.manual_seed(0)
    made = Members(shape, networks)
    made.fit_inputs(rows().numeric)
    return made.to(device)


def training(**changes):
    return Training(**{"learning_rate": 1e-2, "device": "cpu", "precision": "fp32"} | changes)


def orders(steps, batch_size, networks=1, n=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, n, (networks, steps * batch_size), generator=generator)


def alone(networks, number):
    """One of several networks, by itself."""
    made = Members(networks.shape)
    parameters = {name for name, _ in networks.named_parameters()}
    made.load_state_dict(
        {
            name: v[number : number + 1] if name in parameters else v
            for name, v in networks.state_dict().items()
        }
    )
    return made


def assert_same(one, other, **tolerance):
    for (name, value), (_, expected) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        torch.testing.assert_close(
            value, expected, **tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_steps_are_those_of_adamw_on_the_members_mean_loss():
    data, order = rows(), orders(5, 16)
    ours, theirs = network(), network()
    declared = training(weight_decay=0.1)
    losses = Step(ours, BINARY, data, declared, 16).run(order)
    optimizer = torch.optim.AdamW(theirs.parameter_groups(0.1), lr=declared.learning_rate)
    expected = []
    for batch in order[0].split(16):
        optimizer.zero_grad()
        logits = theirs(data.numeric[None, batch], data.codes[None, batch])[0, :, :, 0]
        labels = data.targets[batch]
        loss = sum(binary_cross_entropy_with_logits(logits[:, member], labels) for member in range(3)) / 3
        loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        optimizer.step()
        expected.append(loss.item())
    assert_same(ours, theirs, rtol=1e-4, atol=1e-6)
    assert losses.tolist() == pytest.approx([sum(expected) / 5], rel=1e-5)


def test_the_loss_is_of_one_pass():
    step = Step(network(), BINARY, rows(), training(learning_rate=1e-12), 16)
    first = step.run(orders(3, 16))
    torch.testing.assert_close(step.run(orders(3, 16)), first)


def test_weights_are_averaged_over_all_steps_of_the_first_epoch_and_then_with_its_length():
    trained, seen = network(), []
    step = Step(trained, BINARY, rows(), training(), 16)

    def weights(of):
        return torch.cat([value.detach().flatten() for value in of.parameters()])

    step.optimizer.register_step_post_hook(lambda *_: seen.append(weights(trained)))
    step.run(orders(3, 16))
    expected = torch.stack(seen).mean(dim=0)
    torch.testing.assert_close(weights(step.averaged), expected)
    step.run(orders(3, 16))
    for each in seen[3:]:
        expected = expected + (each - expected) / 3
    torch.testing.assert_close(weights(step.averaged), expected)
    assert not torch.allclose(expected, seen[-1])


def test_what_one_network_meets_changes_nothing_for_another():
    """The second network's rows are so far out that its gradient alone would be clipped to nothing."""
    data = rows(128)
    data = Rows(torch.cat([data.numeric[:64], 1e4 * data.numeric[64:]]), data.codes, data.targets)
    order = torch.stack([orders(6, 16)[0], 64 + orders(6, 16, seed=1)[0]])
    together = network(networks=2)
    each = [alone(together, number) for number in range(2)]
    Step(together, BINARY, data, training(), 16).run(order)
    for number, single in enumerate(each):
        Step(single, BINARY, data, training(), 16).run(order[number : number + 1])
        assert_same(alone(together, number), single, rtol=1e-4, atol=1e-5)


def test_a_gradient_is_clipped_by_the_norm_of_its_own_network():
    small = [torch.full((2, 3), 0.1), torch.full((2, 1, 4), 0.1)]
    gradients = [torch.cat([value, 100 * value]) for value in small]
    parameters = [torch.nn.Parameter(torch.zeros_like(value)) for value in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    clip_gradients(parameters)
    norms = sum(parameter.grad.flatten(1).square().sum(dim=1) for parameter in parameters).sqrt()
    torch.testing.assert_close(norms, torch.tensor([7**0.5 / 10] * 2 + [1.0] * 2))
    for parameter, gradient in zip(parameters, gradients, strict=True):
        assert torch.equal(parameter.grad[:2], gradient[:2]), "a norm below 1 stays"
        torch.testing.assert_close(
            parameter.grad[2] / gradient[2], torch.full_like(gradient[2], 0.1 / 7**0.5)
        )


def test_balanced_weights_have_mean_one_and_give_both_classes_the_same():
    labels = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    weights = BINARY.class_weights(labels, torch.arange(4))
    assert weights[:4].mean() == pytest.approx(1)
    assert weights[:4][labels[:4] == 1].sum() == pytest.approx(weights[:4][labels[:4] == 0].sum().item())
    assert (weights[4:] == weights[0]).all(), "rows that are not trained on have no say"


def test_weights_count_in_the_loss_of_their_network_only():
    data, order = rows(), orders(1, 64).expand(2, -1)
    weights = torch.stack([torch.ones(64), torch.where(data.targets == 1, 2.0, 0.5)])
    plain = network(networks=2)
    losses = Step(plain, BINARY, data, training(), 64, weights).run(order)
    fresh = network(networks=2)
    logits = fresh(data.numeric[order], data.codes[order]).squeeze(3)
    each = binary_cross_entropy_with_logits(
        logits, data.targets[order][:, :, None].expand_as(logits), reduction="none"
    ).mean(dim=2)
    torch.testing.assert_close(losses.float(), (each * weights.gather(1, order)).mean(dim=1))


def test_bf16_trains_weights_that_stay_float32():
    step = Step(made := network(), BINARY, rows(), training(precision="bf16"), 16)
    first, *_, last = [step.run(orders(8, 16, seed=seed)).item() for seed in range(10)]
    assert last < 0.8 * first
    assert {parameter.dtype for parameter in made.parameters()} == {torch.float32}
    assert all(parameter.isfinite().all() for parameter in made.parameters())


def test_a_table_of_many_categories_changes_only_where_rows_are():
    levels = 100_000
    data = rows(64, levels=levels)
    made = Members(Shape(2, (levels,), 3, 4, 3, 2, 8, 0.0), 2)
    made.fit_inputs(data.numeric)
    before = made.categories.weight.detach().clone()
    Step(made, BINARY, data, training(weight_decay=0.1), 16).run(orders(3, 16, networks=2))
    changed = (made.categories.weight.detach() != before).any(dim=2)
    for number, order in enumerate(orders(3, 16, networks=2)):
        assert changed[number].nonzero().flatten().tolist() == data.codes[order, 0].unique().tolist()


class Recorded:
    """A CUDA graph on a machine that has none: replaying it takes the step that was captured."""

    step: Step
    replays: int

    def __init__(self):
        self.replays = 0

    def replay(self):
        self.replays += 1
        self.step.optimizer.zero_grad()
        self.step._learn()


@pytest.fixture
def without_card(monkeypatch):
    """Stand-ins for streams and graphs, and a function that says how capturing goes: what it is given is raised."""

    class Stream:
        def wait_stream(self, other):
            pass

    def arrange(step, error=None):
        @contextmanager
        def capture(graph):
            graph.step = step
            # What is captured is not computed.
            with monkeypatch.context() as context:
                context.setattr(step, "_learn", lambda: None)
                yield
            if error is not None:
                raise error

        monkeypatch.setattr(torch.cuda, "graph", capture)
        step.wants_graph = True
        return step

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recorded)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    return arrange


def run_twice(step):
    return [step.run(orders(7, 16, seed=seed)).item() for seed in range(2)]


def test_a_captured_step_is_replayed_for_every_batch_that_follows(without_card):
    plain, captured = network(), network()
    expected = run_twice(Step(plain, BINARY, rows(), training(), 16))
    step = without_card(Step(captured, BINARY, rows(), training(), 16))
    assert run_twice(step) == expected
    assert step.graph.replays == (7 - module._WARM_UP) + 7
    assert_same(captured, plain, rtol=0, atol=0)


def test_a_short_pass_is_not_captured(without_card):
    step = without_card(Step(network(), BINARY, rows(), training(), 16))
    step.run(orders(module._WARM_UP, 16))
    assert step.graph is None
    step.run(orders(module._WARM_UP + 1, 16))
    assert step.graph.replays == 1


def test_a_step_that_cannot_be_captured_runs_as_it_is_and_the_log_says_so(without_card, caplog):
    plain, refused = network(), network()
    expected = run_twice(Step(plain, BINARY, rows(), training(), 16))
    step = without_card(
        Step(refused, BINARY, rows(), training(), 16), RuntimeError("operation not permitted")
    )
    with caplog.at_level(logging.WARNING):
        assert run_twice(step) == expected
    assert [record.getMessage() for record in caplog.records] == [
        "the training step cannot be captured (operation not permitted); it runs without a CUDA graph, slower"
    ]
    assert step.graph is None
    assert_same(refused, plain, rtol=0, atol=0)


def test_a_capture_without_memory_is_no_such_failure(without_card):
    step = without_card(Step(network(), BINARY, rows(), training(), 16), torch.OutOfMemoryError("full"))
    with pytest.raises(torch.OutOfMemoryError):
        run_twice(step)


@pytest.mark.gpu
@gpu
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
@pytest.mark.parametrize("networks", [1, 3])
def test_on_a_card_captured_steps_are_the_eager_ones(precision, networks):
    from lepton_pipeline.system.device import reproducible

    data, ends, losses = rows(device="cuda"), [], []
    order = orders(40, 16, networks=networks).cuda()
    for graph in (True, False):
        made = network(networks, "cuda")
        with reproducible(0, 1, "cuda", precision):
            step = Step(
                made, BINARY, data, training(device="cuda", precision=precision, cuda_graph=graph), 16
            )
            losses.append(torch.stack([step.run(order) for _ in range(3)]).cpu())
        assert (step.graph is not None) == graph
        ends.append(made)
    tolerance = {"rtol": 5e-2, "atol": 5e-2} if precision == "bf16" else {"rtol": 1e-3, "atol": 1e-3}
    torch.testing.assert_close(*losses, **tolerance)
    assert_same(*ends, **tolerance)
    assert (losses[0][-1] < 0.9 * losses[0][0]).all()


@pytest.mark.gpu
@gpu
def test_on_a_card_captured_steps_drop_other_units_every_time():
    shape = Shape(2, (5,), 3, 4, 3, 2, 8, dropout=0.5)
    step = Step(
        network(device="cuda", shape=shape), BINARY, rows(device="cuda"), training(learning_rate=1e-12), 16
    )
    order = orders(1, 16).expand(10, -1).reshape(1, -1).cuda()
    step.run(order)
    seen = []
    for _ in range(4):
        step.run(order[:, :16])
        seen.append(step.losses.item())
    assert len(set(seen)) == 4


@pytest.mark.gpu
@gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype feature")
def test_on_a_card_a_pass_does_not_wait_for_it():
    step = Step(network(device="cuda"), BINARY, rows(device="cuda"), training(device="cuda"), 16)
    order = orders(20, 16).cuda()
    step.run(order)
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses = step.run(order)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert losses.isfinite().all()
