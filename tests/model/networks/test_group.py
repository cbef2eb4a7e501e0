import pytest
import torch
from torch import distributed

from lepton_pipeline.model.networks.group import ALONE, Group


def test_parts_are_all_rows_in_order_and_differ_by_at_most_one():
    rows = torch.arange(22).view(2, 11)
    parts = [Group(rank, 3).part(rows, 1) for rank in range(3)]
    assert torch.equal(torch.cat(parts, dim=1), rows)
    assert sorted(part.shape[1] for part in parts) == [3, 4, 4]
    assert ALONE.part(rows, 1) is rows


def test_one_exchange_serves_tensors_of_any_shape(monkeypatch):
    exchanged = []

    def double(flat):
        exchanged.append(flat.numel())
        flat *= 2

    monkeypatch.setattr(distributed, "all_reduce", double)
    one, many = torch.tensor([1.0]), torch.ones(2, 3, requires_grad=True)
    Group(1, 2).add([one, many])
    assert exchanged == [7]
    assert one.tolist() == [2.0]
    assert torch.equal(many.detach(), torch.full((2, 3), 2.0))


def test_what_is_shared_is_that_of_the_source(monkeypatch):
    def send(flat, src):
        flat.fill_(src)

    monkeypatch.setattr(distributed, "broadcast", send)
    values = [torch.zeros(3), torch.zeros(2, 2)]
    Group(0, 4, source=2).share(values)
    assert all(bool((value == 2).all()) for value in values)


def test_the_source_reports():
    assert [Group(rank, 3, source=1).reports for rank in range(3)] == [False, True, False]


def test_one_rank_exchanges_nothing(monkeypatch):
    for name in ("all_reduce", "broadcast", "broadcast_object_list"):
        monkeypatch.setattr(distributed, name, lambda *given, **more: pytest.fail("exchanged"))
    value = torch.ones(2)
    ALONE.add([value])
    ALONE.share([value])
    assert value.tolist() == [1.0, 1.0]
    assert ALONE.tell("word") == "word"
