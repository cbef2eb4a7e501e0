"""What is printed, on any terminal: one without UTF-8 gets the nearest characters it has, never an error."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from contextlib import suppress
from typing import IO

import click

_ERRORS = "lepton_pipeline.nearest"
# How a stream is told to fail, or to print escapes, at what it cannot write; other choices are the user's own.
_REPLACED = ("strict", "backslashreplace", "surrogateescape")
_NEAREST = {
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "±": "+/-",
    "×": "x",
    "·": "-",
    "•": "*",
    "→": "->",
    "←": "<-",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "ß": "ss",
    "ø": "o",
    "Ø": "O",
    "æ": "ae",
    "Æ": "AE",
    "ł": "l",
    "Ł": "L",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "„": '"',
    **dict.fromkeys("─━═╌╍", "-"),
    **dict.fromkeys("│┃║", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╸╺", "+"),
}


def readable_output() -> None:
    """Let standard output and standard error write what their encoding lacks by its nearest characters."""
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) in _REPLACED:
            # A stream that was replaced, by a test say, need not have it.
            with suppress(AttributeError):
                stream.reconfigure(errors=_ERRORS)  # type: ignore[union-attr]  # asked for above


def say(text: object, *, to_stderr: bool = False) -> None:
    """Print a line: `click.echo`, which alone would write UTF-8 to a terminal of ASCII."""
    readable_output()
    stream = sys.stderr if to_stderr else sys.stdout
    try:
        click.echo(text, file=stream)
    except BrokenPipeError:
        reader_left(stream)


def reader_left(stream: IO[str]) -> None:
    """Print no more where nobody reads on (`kedro compare finance | head`): what was done stays done."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _nearest(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    escaped = next((each for each, character in enumerate(found) if "\udc80" <= character <= "\udcff"), len(found))
    if escaped == 0:
        # A byte of a file's name that Python could not decode: it is written as it was.
        return bytes([ord(found[0]) - 0xDC00]), error.start + 1
    return "".join(_replacement(character) for character in found[:escaped]), error.start + escaped


def _replacement(character: str) -> str:
    if character in _NEAREST:
        return _NEAREST[character]
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or "?"


codecs.register_error(_ERRORS, _nearest)
