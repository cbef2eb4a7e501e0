"""The history of champions, and how one is replaced by hand."""

from uuid import uuid4

import pytest

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.registry.champion import (
    champion_of,
    history,
    move_champion,
    promote,
    read_moves,
    require_model,
    roll_back,
)


def reigns(shop, name):
    return [
        (reign.version, reign.move and reign.move.how, reign.current) for reign in history(shop.client, name)
    ]


@pytest.fixture
def three(shop):
    """A model of three versions, of which the gate made each champion in turn."""
    name = f"model_{uuid4().hex}"
    for version in (1, 2, 3):
        shop.version(name)
        move_champion(
            shop.client, name, version, "gate", f"version {version} is better", run_id=f"run{version}"
        )
    return name


def test_the_history_tells_who_from_when_to_when_and_why(shop, three):
    first, second, third = history(shop.client, three)
    assert [each.version for each in (first, second, third)] == [1, 2, 3]
    assert first.since < first.until == second.since < second.until == third.since
    assert (third.until, third.current) == (None, True)
    assert (second.move.from_version, second.move.reason, second.move.run_id) == (
        1,
        "version 2 is better",
        "run2",
    )
    assert second.move.user


def test_a_model_that_does_not_exist_has_no_history(shop):
    assert champion_of(shop.client, "nowhere") is None
    assert history(shop.client, "nowhere") == []


def test_rolling_back_goes_to_the_champion_before_and_then_further(shop, three):
    assert roll_back(shop.client, three, "too slow").version == 2
    assert roll_back(shop.client, three, "too slow, too").version == 1
    assert reigns(shop, three)[2:] == [(3, "gate", False), (2, "rollback", False), (1, "rollback", True)]
    with pytest.raises(ConfigurationError, match="no champion before version 1"):
        roll_back(shop.client, three, "further")
    move = read_moves(shop.client, three)[-1]
    assert (move.reason, move.from_version, move.run_id) == ("too slow, too", 2, None)


def test_rolling_back_goes_to_the_version_that_is_named(shop, three):
    roll_back(shop.client, three, "back\n  to the \t first", to=1)
    assert champion_of(shop.client, three) == 1
    assert read_moves(shop.client, three)[-1].reason == "back to the first"


def test_a_version_that_never_was_champion_is_promoted_by_force_only(shop, three):
    shop.version(three)
    with pytest.raises(
        ConfigurationError, match=rf"never champion.* kedro champion promote {three} 4 --force"
    ):
        roll_back(shop.client, three, "why not", to=4)
    shop.client.set_registered_model_alias(three, "challenger", "4")
    assert promote(shop.client, three, 4, "the rows are new").from_version == 3
    assert shop.client.get_registered_model(three).aliases == {"champion": 4}
    assert roll_back(shop.client, three, "it was a mistake").version == 3


def test_what_cannot_be_done_is_said_and_changes_nothing(shop, three):
    for call, message in (
        (lambda: roll_back(shop.client, three, "x", to=9), r"has no version 9; there are 1, 2, 3"),
        (lambda: roll_back(shop.client, three, "x", to=3), "version 3 .* is the champion already"),
        (lambda: promote(shop.client, three, 3, "x"), "version 3 .* is the champion already"),
        (lambda: promote(shop.client, three, 9, "x"), "has no version 9"),
        (lambda: promote(shop.client, three, 2, "  "), "--reason: 0 characters"),
        (lambda: roll_back(shop.client, three, "x" * 1001), "--reason: 1,001 characters"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            call()
    shop.client.delete_registered_model_alias(three, "champion")
    with pytest.raises(ConfigurationError, match="has no champion, so there is nothing to roll back"):
        roll_back(shop.client, three, "x")
    assert len(read_moves(shop.client, three)) == 3


@pytest.mark.parametrize("change", ["altered", "cut off", "gone"])
def test_a_version_whose_files_are_not_whole_does_not_become_champion(shop, three, change):
    own = shop.client.get_model_version(three, "2").source.rpartition("/")[2]
    folder = next(
        path for path in (shop.folder / "mlruns").rglob("artefact.json") if own in path.parts
    ).parent
    file = next(path for path in folder.rglob("*.safetensors") if path.stat().st_size > 100)
    whole = file.read_bytes()
    problem = "is missing" if change == "gone" else "was altered"
    broken = {"altered": whole[:-1] + bytes([whole[-1] ^ 1]), "cut off": whole[:-1], "gone": b""}[change]
    try:
        file.write_bytes(broken)
        if change == "gone":
            file.unlink()
        for call in (lambda: roll_back(shop.client, three, "x"), lambda: promote(shop.client, three, 2, "x")):
            with pytest.raises(DataError, match=f"version 2 .* cannot become champion: .*model/.* {problem}"):
                call()
    finally:
        file.write_bytes(whole)
    assert champion_of(shop.client, three) == 3
    assert len(read_moves(shop.client, three)) == 3


def test_an_alias_that_was_moved_by_other_means_shows_as_such(shop, three):
    shop.client.set_registered_model_alias(three, "champion", "1")
    assert reigns(shop, three) == [
        (1, "gate", False),
        (2, "gate", False),
        (3, "gate", False),
        (1, None, True),
    ]
    promote(shop.client, three, 3, "again")
    *_, by_hand, last = history(shop.client, three)
    assert (by_hand.version, by_hand.since, by_hand.until, by_hand.move) == (1, None, last.since, None)
    assert (last.version, last.move.how, last.current) == (3, "promote", True)
    shop.client.delete_registered_model_alias(three, "champion")
    shop.client.set_registered_model_alias(three, "champion", "2")
    assert reigns(shop, three)[-2:] == [(3, "promote", False), (2, None, True)]


def test_an_old_champion_without_an_event_can_be_rolled_back_to(shop):
    shop.version("before")
    shop.client.set_model_version_tag("before", "1", "gate.decision", "promoted")
    shop.client.set_registered_model_alias("before", "champion", "1")
    assert reigns(shop, "before") == [(1, None, True)]
    shop.version("before")
    move_champion(shop.client, "before", 2, "gate", "better")
    assert reigns(shop, "before") == [(1, None, False), (2, "gate", True)]
    assert roll_back(shop.client, "before", "back").version == 1


def test_an_event_whose_alias_never_moved_is_not_believed(shop, three, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("mlflow.MlflowClient.set_registered_model_alias", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            move_champion(shop.client, three, 1, "rollback", "cut off")
    assert reigns(shop, three) == [(1, "gate", False), (2, "gate", False), (3, "gate", True)]
    move_champion(shop.client, three, 2, "rollback", "whole")
    assert reigns(shop, three)[2:] == [(3, "gate", False), (2, "rollback", True)]


def test_a_tag_that_is_no_event_is_passed_over(shop, three):
    for key, text in (("champion.event.yesterday", "{}"), ("champion.event.2026-01-01T00:00:00Z", "no json")):
        shop.client.set_model_version_tag(three, "1", key, text)
    assert len(read_moves(shop.client, three)) == 3


@pytest.mark.parametrize("name", ["nobody", "x' or name != '", "../base", "base\n"])
def test_a_name_without_a_model_is_refused(shop, name):
    with pytest.raises(ConfigurationError, match=r"has no registered model; there are models of .*base"):
        require_model(shop.client, name)


def test_without_a_store_nothing_was_registered():
    with pytest.raises(
        ConfigurationError, match="'shop' has no registered model; no model was registered yet"
    ):
        require_model(None, "shop")
