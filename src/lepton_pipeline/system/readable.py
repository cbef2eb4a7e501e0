"""Printing and logging without secrets and control characters, in any encoding.

What an encoding lacks is replaced by its nearest characters.
"""

from __future__ import annotations

import codecs
import logging
import os
import re
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from math import floor, log10
from typing import IO, Any

import click

from lepton_pipeline.system.credentials import masked

# Control characters but tabs and line ends, and characters that change the direction.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
_DAY = 86400
_DIGITS = 4
_ERRORS = "lepton_pipeline.nearest"
# Modes in which a stream fails, or prints escapes, at what it cannot write; others are the user's choice.
_REPLACED = ("strict", "backslashreplace", "surrogateescape")
_NEAREST = {
    **dict(zip("…±×•→←≤≥≠", ("...", "+/-", "x", "*", "->", "<-", "<=", ">=", "!="), strict=True)),
    **dict(zip("ßøØæÆłŁ", ("ss", "o", "O", "ae", "AE", "l", "L"), strict=True)),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("–—−·─━═╌╍", "-"),
    **dict.fromkeys("│┃║", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╸╺", "+"),
}


def printable(text: str) -> str:
    r"""Escape control characters.

    >>> printable("a\x1b[31m")
    'a\\x1b[31m'
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shown(text: str) -> str:
    """A text fit for printing: secrets masked, control characters escaped."""
    return printable(masked(text))


def clipped(text: str, most: int) -> str:
    """A text of at most `most` characters, which ends in … where it was longer."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def readable_logs() -> None:
    """Pass the log records of all libraries through `shown`, as their errors quote addresses."""
    if not isinstance(make := logging.getLogRecordFactory(), _Records):
        logging.setLogRecordFactory(_Records(make))


@dataclass(frozen=True)
class _Records:
    make: Callable[..., logging.LogRecord]

    def __call__(self, *arguments: Any, **options: Any) -> logging.LogRecord:
        record = self.make(*arguments, **options)
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # Arguments that do not fit: whoever logs must not fail of it.
            text = f"{record.msg} {record.args}"
        record.msg, record.args = shown(text), None
        if record.exc_info:
            record.exc_text = shown(logging.Formatter().formatException(record.exc_info))
        return record


def readable_output() -> None:
    """Make logs and output readable in any encoding."""
    readable_logs()
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) in _REPLACED:
            # A replaced stream may lack it.
            with suppress(AttributeError):
                stream.reconfigure(errors=_ERRORS)  # type: ignore[union-attr]  # asked for above


def say(text: object, *, to_stderr: bool = False) -> None:
    """Print a text, as `shown`."""
    readable_output()
    stream = sys.stderr if to_stderr else sys.stdout
    try:
        click.echo(shown(str(text)), file=stream)
    except BrokenPipeError:
        close_output(stream)


def close_output(stream: IO[str]) -> None:
    """Drop further output once its reader has closed the pipe (`kedro compare finance | head`)."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def figure_text(value: float, sign: str = "") -> str:
    """A figure with four decimals, or fewer if it is large; `sign` is as in format strings.

    >>> figure_text(0.7654321), figure_text(1234.5678), figure_text(65432.1, "+")
    ('0.7654', '1,234.57', '+65,432')
    """
    digits = 4 if abs(value) < 100 else 2 if abs(value) < 10_000 else 0
    return f"{value:{sign},.{digits}f}"


def span_text(span: timedelta) -> str:
    """A duration: with seconds below an hour, minutes below two days, then days.

    >>> [span_text(timedelta(seconds=seconds)) for seconds in (12, 61, 5400, 90_000_000)]
    ['12 s', '1 min 01 s', '1 h 30 min', '1,041 days']
    """
    seconds = max(0, round(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds >= 2 * _DAY:
        return f"{seconds // _DAY:,} days"
    whole, rest = divmod(seconds, 60)
    large, small = "min", "s"
    if whole >= 60:
        whole, rest, large, small = *divmod(whole, 60), "h", "min"
    return f"{whole} {large} {rest:02d} {small}" if rest else f"{whole} {large}"


def four_digits(value: float) -> str:
    """A number with four significant digits at most, but all digits of whole numbers.

    >>> [four_digits(value) for value in (1250.0, 123456.7, 0.125, -2.0001, 0.0, 1e-9)]
    ['1,250', '123,457', '0.125', '-2', '0', '1e-09']
    """
    if value == 0 or not 1e-6 <= abs(value) < 1e15:
        return f"{value:g}"
    decimals = max(0, _DIGITS - 1 - floor(log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _nearest(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    escaped = len(re.match("[^\udc80-\udcff]*", found)[0])  # type: ignore[index]  # it matches any text
    if escaped == 0:
        # An undecodable byte of a file name is written unchanged.
        return bytes([ord(found[0]) - 0xDC00]), error.start + 1
    plain = (unicodedata.normalize("NFKD", each).encode("ascii", "ignore").decode() for each in found)
    nearest = dict(zip(found, plain, strict=True)) | _NEAREST
    return "".join(nearest[each] or "?" for each in found[:escaped]), error.start + escaped


codecs.register_error(_ERRORS, _nearest)
