from __future__ import annotations

import pytest

from lepton_pipeline.data.personal import find, in_ascii


def hits(kind: str, text: str) -> list[str]:
    return [text[slice(*hit)] for hit in find(kind, in_ascii(text))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("write to Jane.Doe+x@mail.example.co.uk, please", ["Jane.Doe+x@mail.example.co.uk"]),
        ("<jane@x.com>,'bob@y.org'.", ["jane@x.com", "bob@y.org"]),
        ("jürgen@müller.de and ｊａｎｅ＠ｘ．ｃｏｍ", ["jürgen@müller.de", "ｊａｎｅ＠ｘ．ｃｏｍ"]),
        ("उदाहरण@उदाहरण.भारत", ["उदाहरण@उदाहरण.भारत"]),
        ("请发到jane@x.com谢谢", ["jane@x.com"]),
        ("17 items @ 4.50, 5@10.99, @jane, jane@home, a@b@c", []),
    ],
)
def test_emails_have_a_local_part_and_a_domain(text, found):
    assert hits("email", text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DE89 3704 0044 0532 0130 00 is mine", ["DE89 3704 0044 0532 0130 00"]),
        ("gb29nwbk60161331926819;NO93-8601-1117-947", ["gb29nwbk60161331926819", "NO93-8601-1117-947"]),
        ("ES91 2100 0418 4502 0005 1332 from", ["ES91 2100 0418 4502 0005 1332"]),
        # A wrong digit, a digit too many, no country.
        ("DE89 3704 0044 0532 0130 01", []),
        ("DE893704004405320130000", []),
        ("XX89370400440532013000, is 12 of 20 and 3 to go", []),
    ],
)
def test_ibans_have_the_length_of_their_country_and_right_check_digits(text, found):
    assert hits("iban", text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4111 1111 1111 1111, 5105-1051-0510-5100", ["4111 1111 1111 1111", "5105-1051-0510-5100"]),
        ("3782 822463 10005 378282246310005", ["3782 822463 10005", "378282246310005"]),
        ("in 2024 4111 1111 1111 1111", ["4111 1111 1111 1111"]),
        ("卡号４１１１１１１１１１１１１１１１。", ["４１１１１１１１１１１１１１１１"]),
        # Luhn fails; no issuer; part of a code.
        ("4111 1111 1111 1112, 0000000000000000, 9111111111111111, X4111111111111111", []),
    ],
)
def test_cards_pass_the_luhn_check(text, found):
    assert hits("card", text) == found


@pytest.mark.parametrize(
    "text",
    [
        *("+49 (0)30 1234-567", "+1 (800) 555-1234", "+491701234567", "0049 30 1234567", "030/123 45 67"),
        *("(212) 555-1234", "212.555.1234", "1-800-555-1234", "555-1234", "06 12 34 56 78", "12.34.56.78.90"),
        *("601 123 456", "98765 43210", "9123 4567", "(030 1234567)", "０３０-１２３４５６７", "٠٣٠ ١٢٣٤٥٦٧"),
    ],
)
def test_phone_numbers_begin_with_plus_or_have_separators(text):
    assert hits("phone", text) == [text]
    assert hits("phone", f"Tel.: {text}, on 2024-01-31 (5 days)") == [text]


def test_two_phone_numbers_are_two():
    assert hits("phone", "030 1234567 030 2345678") == ["030 1234567", "030 2345678"]
    assert hits("phone", "电话010-12345678或+8613912345678。") == ["010-12345678", "+8613912345678"]


@pytest.mark.parametrize(
    "text",
    [
        *("2024-01-31", "31.12.2024 08:00", "1/31/2024 10:30 PM", "2024-01-31T10:20:30.123456+05:30"),
        *(
            "2019-2020",
            "2019 2020 2021",
            "INV 2024-001234",
            "ORD-123-456-7890",
            "order 4711 of 2024",
            "1234567",
        ),
        *(
            "Rs 10.4 crore",
            "Rs. 123 456 789",
            "$ 601 123 456",
            "601 123 456 EUR",
            "1,234,567.89",
            "1.234.567,89",
        ),
        *("12 345 678", "123 456 789,00", "1500-2500", "10000-20000", "1234567.89", "52.520008, 13.404954"),
        *(
            "52.5200 13.4049",
            "192.168.100.200",
            "978-3-16-148410-0",
            "10 20 30",
            "1.2.3.4567",
            "3 of 20 in 100",
        ),
    ],
)
def test_dates_amounts_and_other_numbers_are_no_phone_numbers(text):
    assert hits("phone", text) == []
    assert hits("phone", f"paid {text} then") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("account 12345678, 00012345678901234567.", ["12345678", "00012345678901234567"]),
        ("12345678,23456789", ["12345678", "23456789"]),
        ("账号１２３４５６７８号", ["１２３４５６７８"]),
        # Too short, too long, a date, amounts, fractions.
        ("1234567 123456789012345678901 20240131", []),
        ("Rs 12345678, $12345678, 12345678.90, 12345678 EUR, 0.12345678, 0,12345678", []),
    ],
)
def test_accounts_are_other_runs_of_digits(text, found):
    assert hits("account", text) == found
