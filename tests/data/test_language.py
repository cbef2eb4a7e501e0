"""Written language against ids, codes, names, paths, addresses, records and markup."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product

import pandas as pd
import pytest
from conftest import REPOSITORY

from lepton_pipeline.data.language import words_a_text

ENGLISH = "the room was quiet and close to a river we would come again it is small but very clean"
GERMAN = "Das Zimmer war sehr sauber, und ruhig! Wir kämen gern wieder; Frühstück fehlte leider."
HINDI = "कमरा बहुत साफ था और सेवा अच्छी थी नदी के पास"
ARABIC = "الغرفة نظيفة جدا والخدمة ممتازة قريبة من النهر"
CHINESE = "房间 很 干净 服务 也 不错 下次 还会 来 位置 方便 离 地铁 近 早餐 丰富 老板 热情"
CHINESE_NAMES = "王 李 张 刘 陈 杨 黄 赵 伟 芳 娜 敏 静 丽 强 磊 军 洋"
THAI = "ห้องพัก สะอาด มาก และ เงียบ บริการ ดี ใกล้ แม่น้ำ"
FIRST = ["Anna", "Ben", "Cem", "Dora", "Emil", "Fatma", "Gregor", "Hanna", "Ivan", "Jana"]
LAST = ["Maier", "Graf", "Weber", "Yilmaz", "Novak", "Rossi", "Garcia", "Lopez", "Silva", "Kaya"]


def sentences(words: str, count: int, between: str = " ") -> list[str]:
    draw = random.Random(5)
    return [between.join(draw.choices(words.split(), k=count)) for _ in range(200)]


def made(value: Callable[[random.Random, int], str]) -> list[str]:
    draw = random.Random(5)
    return [value(draw, number) for number in range(200)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param(sentences(ENGLISH, 8), 8, id="English"),
        pytest.param([text.upper() for text in sentences(ENGLISH, 5)], 5, id="capitals"),
        pytest.param(sentences(GERMAN, 6), 6, id="punctuation"),
        pytest.param(sentences(HINDI, 7), 7, id="vowel signs"),
        pytest.param(sentences(ARABIC, 6), 6, id="Arabic"),
        pytest.param(sentences(ENGLISH, 4, ", "), 4, id="tags"),
        pytest.param(
            made(lambda _, n: f"<p>The <b>room</b> {n} was nice &amp; quiet</p>"), 5, id="with markup"
        ),
        pytest.param(
            made(lambda d, n: f"Cabin near {d.choice(LAST)}: 2BR/2BA, {n % 9} beds"), 4, id="numbers between"
        ),
    ],
)
def test_words_of_language_are_counted(values: list[str], words: float) -> None:
    assert words_a_text(pd.Series(values)) == words
    assert words_a_text(pd.Series([*values, None, None])) == words


@pytest.mark.parametrize(("words", "least"), [(CHINESE, 5), (THAI, 4)])
def test_without_blanks_letters_are_counted(words: str, least: float) -> None:
    assert least <= words_a_text(pd.Series(sentences(words, 9, ""))) <= 10


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([f"{first} {last}" for first, last in product(FIRST, LAST)], id="persons"),
        pytest.param(sentences(CHINESE_NAMES, 3, ""), id="Chinese persons"),
        pytest.param([f"{first}.{last}@example.org" for first, last in product(FIRST, LAST)], id="mail"),
        pytest.param(
            [f"{first} {last} <{first}@example.org>" for first, last in product(FIRST, LAST)],
            id="mail of persons",
        ),
        pytest.param(made(lambda _, n: f"https://example.org/the/room/{n}"), id="web"),
        pytest.param(made(lambda _, n: f"/home/anna/My Documents/the old room {n}.txt"), id="path"),
        pytest.param(made(lambda _, n: rf"C:\Program Files\My App\room {n}.txt"), id="path of Windows"),
        pytest.param(made(lambda d, n: f"{d.getrandbits(128):032x}"), id="hash"),
        pytest.param(made(lambda d, n: f"DE89 3704 0044 {n:04d} 0130 00"), id="account"),
        pytest.param(made(lambda d, n: f"AB-{n} XK {7 * n:05d} Z"), id="code"),
        pytest.param(
            made(
                lambda d, _: " ".join("".join(d.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=4)) for _ in range(4))
            ),
            id="key of letters",
        ),
        pytest.param(
            made(lambda d, n: f"{{'{d.choice(FIRST)} and {n}': 'very good', 'x': 'so so'}}"), id="record"
        ),
        pytest.param(
            made(lambda _, n: f'<div class="a b"><img alt="the nice room {n}"/></div>'), id="markup only"
        ),
        pytest.param(made(lambda _, n: f"{n} {n + 1} {n + 2} {n + 3}"), id="numbers"),
        pytest.param(sentences(ENGLISH, 1), id="one word"),
        pytest.param(["the room was very quiet"] * 200, id="one value"),
        pytest.param([None, None], id="no value"),
        pytest.param([1.5, 2.5] * 50, id="a number"),
    ],
)
def test_nothing_else_is_language(values: list[str]) -> None:
    assert words_a_text(pd.Series(values)) == 0


def test_bundled_titles_and_headlines_are_language_and_their_ratings_are_not() -> None:
    raw = REPOSITORY / "data/01_raw"
    assert words_a_text(pd.read_csv(raw / "lodging/airbnb_asheville.csv.xz")["name"]) == pytest.approx(
        6, abs=1
    )
    headlines = pd.read_csv(raw / "opinion/headlines/SEntFiN.csv.xz")
    assert words_a_text(headlines["Title"]) == pytest.approx(headlines["Words"].mean(), abs=1)
    assert words_a_text(headlines["Decisions"]) == 0
