import pytest
from rich.console import Console

from lepton_pipeline.features.column_record import BY_CODE, CATEGORY, DATE, NUMBER, OTHERS, UNUSED, Column
from lepton_pipeline.terminal.columns import show_columns
from lepton_pipeline.terminal.console import facts_grid


def make_column(name, used_as=NUMBER, role="feature", kind="number", share=0.0, distinct=40, **others):
    return Column(name, kind, role, round(100 * share), share, distinct, used_as, **others)


NOTE = "codes: whole numbers with leading zeros"
SHORT = [
    make_column("a_rather_long_name_of_a_column [m]", share=0.125),
    make_column("code", CATEGORY, "category", "text", notes=[NOTE]),
    make_column(
        "at", DATE, "time", "date with zone", through=["at_month", "at_hour"], why_not="it orders rows"
    ),
    make_column(
        "shop", OTHERS, "group", "text", through=["mean_7d"], why_not="it groups rows (dataset.group)"
    ),
    make_column("memo", UNUSED, "excluded", "text", why_not="declared in dataset.exclude"),
]
LONG = [
    *SHORT,
    *(
        make_column(f"PAY_{number}", role="numeric", share=number / 100, distinct=number + 2)
        for number in range(30)
    ),
    make_column("at_month", role="derived", kind="whole number", distinct=12),
    make_column("mean_7d", role="window", share=0.0004),
    *(
        make_column(f"empty_{number}", UNUSED, kind="no value", why_not="every value is missing")
        for number in range(9)
    ),
    make_column(
        "clerk", BY_CODE, "raw", "text", distinct=None, why_not="not taken over from lines", table="lines"
    ),
]


def printed(columns, width):
    console = Console(width=width, highlight=False)
    table, facts = show_columns(columns)
    with console.capture() as capture:
        if table is not None:
            console.print(table)
        console.print(facts_grid(facts))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= width
    return lines


@pytest.mark.parametrize("width", [80, 110])
def test_a_short_table_has_a_line_for_each_column(width):
    lines = printed(SHORT, width)
    text = " ".join(" ".join(lines).split())
    assert "12.5%" in text
    for name in ("code", "at", "shop", "memo"):
        assert any(line.split()[:1] == [name] for line in lines)
    assert "columns 5: 1 number, 1 category, 1 date through others, 1 only through others, 1 not used" in text
    assert f"note code: {NOTE}" in text


def test_a_long_table_is_folded_but_for_what_is_not_used_and_what_was_noted():
    lines = printed(LONG, 80)
    assert len(lines) <= 20
    text = " ".join(" ".join(lines).split())
    for said in (
        "columns 46: 33 numbers, 1 category, 1 date through others, 1 only through others, 10 not used; "
        "1 of raw tables not taken over",
        "numbers 1 (number): a_rather_long_name_of_a_column [m]; 40 distinct, missing 12.5%",
        "numbers 30 declared (number): PAY_0, PAY_1, PAY_2, PAY_3 and 26 more; 2 to 31 distinct, "
        "missing up to 29.0% (PAY_29)",
        "numbers 1 derived (whole number): at_month; 12 distinct",
        "numbers 1 windows (number): mean_7d; 40 distinct, missing < 0.1%",
        "categories 1 declared (text): code; 40 distinct",
        "through at: date, through at_month, at_hour",
        "through shop: only through mean_7d (itself: it groups rows (dataset.group))",
        "not used memo: declared in dataset.exclude",
        f"not used {', '.join(f'empty_{number}' for number in range(9))}: every value is missing",
        "not used clerk: not taken over from lines",
        f"note code: {NOTE}",
    ):
        assert said in text


def test_many_columns_that_only_others_are_made_of_are_folded():
    columns = [
        make_column(f"x{n}", OTHERS, "excluded", through=[f"y{n}"], why_not="declared in dataset.exclude")
        for n in range(30)
    ]
    _, facts = show_columns(columns)
    assert facts[1:] == [
        ("through", "30 only through others (declared in dataset.exclude): x0, x1, x2, x3 and 26 more")
    ]


def test_no_columns_are_no_table():
    assert show_columns([]) == (None, [])
