"""Keep passwords out of what is printed, logged and recorded."""

from __future__ import annotations

import logging
import re

# Up to the last @, for a password may hold one that was not encoded.
_USER = re.compile(r"://[^\s'\"<>]*@")
_SECRET = re.compile(r"(?i)([?&][^=&\s]*(?:password|passwd|pwd|secret|token|key)[^=&\s]*=)[^&\s'\"]+")


def without_credentials(text: str) -> str:
    """Mask user and password in the addresses of a message, and what an address calls a password or token."""
    return _SECRET.sub(r"\1***", _USER.sub("://***@", text))


def mask_logs() -> None:
    """Mask the credentials in the log records of all libraries: their errors quote addresses as they were given."""
    others = (each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger))
    for logger in (logging.root, *others):
        for handler in logger.handlers:
            if _mask not in handler.filters:
                handler.addFilter(_mask)


def _mask(record: logging.LogRecord) -> bool:
    record.msg, record.args = without_credentials(record.getMessage()), None
    if record.exc_info:
        # A formatter takes the text that is there already.
        record.exc_text = without_credentials(logging.Formatter().formatException(record.exc_info))
    return True
