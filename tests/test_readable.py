import io
import sys

import pytest
from rich.table import Table
from rich.text import Text

from lepton_pipeline.readable import readable_output, say
from lepton_pipeline.terminal import console


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


def test_a_reader_that_leaves_early_ends_nothing(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    out = console()
    out.print("one")
    out.print("two")
    say("three")
