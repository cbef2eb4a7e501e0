"""Keep passwords out of what is printed, logged and recorded."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

# Up to the last @, for a password may hold one that was not encoded.
_USER = re.compile(r"://[^\s'\"<>]*@")
# The path of a webhook is its password.
_WEBHOOK = re.compile(r"(?i)(webhook\W{1,6}https?://[^/\s'\"]+)/[^\s'\"]*")
_SECRET = re.compile(r"(?i)([?&][^=&\s]*(?:password|passwd|pwd|secret|token|key)[^=&\s]*=)[^&\s'\"]+")


def without_credentials(text: str) -> str:
    """Mask user and password in the addresses of a message, what an address calls a password, the path of a webhook."""
    return _WEBHOOK.sub(r"\1/***", _SECRET.sub(r"\1***", _USER.sub("://***@", text)))


def without_webhook(declared: Mapping[str, Any]) -> dict[str, Any]:
    """A vertical's declaration as it may be recorded: of the webhook, only the host is left."""
    alerts = declared.get("alerts") or {}
    if not isinstance(alerts, Mapping) or alerts.get("webhook") is None:
        return dict(declared)
    address = urlsplit(str(alerts["webhook"]))
    return {**declared, "alerts": {**alerts, "webhook": f"{address.scheme}://{address.hostname}/***"}}


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
