import io
import re
import sys
from pathlib import Path

import click
import pytest
from rich.table import Table

import lepton_pipeline
from lepton_pipeline.cli.options import readable
from lepton_pipeline.system.readable import readable_output, say
from lepton_pipeline.terminal.console import Text, console


@pytest.fixture
def screen(monkeypatch):
    """Standard output of an encoding; what it got, once it was asked for, as bytes."""

    def of(encoding, errors="strict"):
        made = io.TextIOWrapper(io.BytesIO(), encoding, errors, write_through=True)
        monkeypatch.setattr(sys, "stdout", made)
        return made.buffer

    return of


@pytest.mark.parametrize("errors", ["strict", "backslashreplace", "surrogateescape"])
@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", b"Strasse +/-0.5 -> Zurich...?\n"),
        ("latin-1", "Straße ±0.5 -> Zürich...?\n".encode("latin-1")),
        ("utf-8", "Straße ±0.5 → Zürich…漢\n".encode()),
    ],
)
def test_a_line_has_the_nearest_characters(screen, encoding, errors, shown):
    got = screen(encoding, errors)
    say("Straße ±0.5 → Zürich…漢")
    assert got.getvalue() == shown


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_byte_of_a_name_that_is_no_character_is_written_as_it_was(screen, encoding):
    got = screen(encoding)
    say(b"Z\xfcrich.csv".decode("utf-8", "surrogateescape"))
    assert got.getvalue() == b"Z\xfcrich.csv\n"


def test_what_the_user_chose_stays(screen):
    got = screen("ascii", "ignore")
    readable_output()
    sys.stdout.write("Zürich")
    assert got.getvalue() == b"Zrich"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_table_is_drawn_and_brackets_are_no_markup(screen, encoding):
    got = screen(encoding)
    table = Table("±", "[red]x[/] :smile:")
    table.add_row(Text("[a/b]"), "/home/[x]/[/dim]…")
    console().print(table)
    shown = got.getvalue().decode(encoding)
    assert "[red]x[/] :smile:" in shown
    assert "/home/[x]/[/dim]" in shown
    assert shown.isascii() == (encoding == "ascii")


def test_what_moves_a_cursor_or_is_a_secret_is_not_printed(screen):
    got = screen("utf-8")
    evil, clean = (
        "\x1b[31mred\x07\r \u202etxt\n\tof http://me:secret@host",
        "\\x1b[31mred\\x07\\r \\u202etxt\n\tof http://***@host",
    )
    say(evil)
    assert got.getvalue().decode() == f"{clean}\n"
    table = Table(evil, evil)
    table.add_row(evil, Text(evil).append(evil))
    console().print(Text.assemble((evil, "bold")), table, Text("\n").join([Text(evil)]))
    shown = got.getvalue().decode()
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(shown)
    assert "secret" not in shown


@pytest.mark.parametrize("error", [ValueError("no: token=abc"), click.BadParameter("no: token=abc")])
def test_an_option_that_cannot_be_read_is_quoted_without_its_secrets(error):
    def refuse(context, parameter, value):
        raise error

    option = readable(click.Option(["--params"], callback=refuse))
    with pytest.raises(click.BadParameter) as caught:
        option.callback(
            click.Context(click.Command("run")), option, "shop.alerts.webhook=https://chat.example/abc"
        )
    assert "abc" not in caught.value.message
    assert "token=***" in caught.value.message


def test_nothing_is_printed_past_the_one_text_and_the_one_console():
    for file in Path(lepton_pipeline.__file__).parent.rglob("*.py"):
        text = file.read_text()
        assert file.name == "console.py" or "rich.text" not in text, file
        assert file.name == "console.py" or "import Console" not in text, file
        assert file.name == "readable.py" or not re.search(r"(?m)^ *(click\.echo|print)\(", text), file


def test_a_reader_that_leaves_early_ends_nothing(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    out = console()
    out.print("one")
    out.print("two")
    say("three")
