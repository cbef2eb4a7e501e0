import pytest

from lepton_pipeline.onboarding.names import name_words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("customerID", ["customer", "id"]),
        ("PAY_0", ["pay", "0"]),
        ("Torque [Nm]", ["torque", "nm"]),
        ("__", []),
    ],
)
def test_name_words(name: str, words: list[str]) -> None:
    assert name_words(name) == words
