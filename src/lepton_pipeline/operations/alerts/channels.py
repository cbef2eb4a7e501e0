"""Alert channels (webhook, mail, file) and why a delivery failed."""

from __future__ import annotations

import errno
import http.client
import json
import os
import smtplib
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from lepton_pipeline.parameters import Mail
from lepton_pipeline.system.locks import lock_descriptor

USER, PASSWORD = "LEPTON_SMTP_USER", "LEPTON_SMTP_PASSWORD"  # names of variables
_TLS_FROM_THE_START = 465
_LONGEST_WAIT = 30.0
Result = TypeVar("Result")


@dataclass(frozen=True)
class Patience:
    """Time-outs and retries of a delivery, in seconds."""

    timeout: float = 10.0  # for each answer
    waits: tuple[float, ...] = (1.0, 2.0, 4.0)  # before each retry
    deadline: float = 60.0  # for an alert in all


PATIENCE = Patience()


class DeliveryError(Exception):
    """An alert was not delivered; the text names the host only, and quotes no library."""

    def __init__(self, text: str, *, again: bool = False, wait: float | None = None) -> None:
        super().__init__(text)
        self.again, self.wait = again, wait


def post(address: str, content: Mapping[str, Any], patience: Patience) -> None:
    """POST a JSON object; answers 200 to 299 are success.

    `urllib` instead of `requests`: the logs of the latter hold the whole address, and its path is a secret.
    Raises DeliveryError if the request was refused or redirected, or no answer came after retries on 429, 500
    and above, lost connections and time-outs.
    """
    url = urlsplit(address)
    # User and password go into a header.
    bare = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
    request = Request(bare, json.dumps(content).encode(), method="POST")  # noqa: S310  # declared as http(s)
    request.add_header("Content-Type", "application/json")
    request.add_header("User-Agent", "lepton_pipeline")
    if url.username is not None:
        user = f"{unquote(url.username)}:{unquote(url.password or '')}"
        request.add_header("Authorization", f"Basic {b64encode(user.encode()).decode()}")
    _try(lambda: _post_once(request, patience.timeout), f"webhook {url.hostname}", patience)


def send_mail(declared: Mail, subject: str, body: str, moment: Any, patience: Patience) -> str:
    """Send a mail; user and password come from the environment and are sent over TLS only.

    Returns a sentence on the recipients that the server refused, "" if it accepted all. Raises DeliveryError
    if the server cannot be reached or refused the mail.
    """
    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())
    message["From"], message["To"] = declared.sender, ", ".join(declared.to)
    message["Date"] = format_datetime(moment)
    message["Message-ID"] = make_msgid(domain="lepton-pipeline.invalid")
    # Suppresses out-of-office replies.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    where = f"mail {declared.host}:{declared.port}"
    refused = _try(lambda: _mail_once(declared, message, patience.timeout), where, patience)
    return f"but not to {', '.join(sorted(refused))}, which the server refused" if refused else ""


def append_line(path: Path, content: Mapping[str, Any]) -> None:
    """Append one line of JSON to a file atomically; DeliveryError if it cannot be written."""
    line = json.dumps(content, ensure_ascii=False).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            lock_descriptor(file.fileno(), wait=True)
            _append(file, line)
    except OSError as error:
        raise DeliveryError(f"file {path}: {_system(error)}") from error


def _append(file: IO[bytes], line: bytes) -> None:
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(end - 1)
        # A partial line of another process must not swallow this one.
        line = line if file.read(1) == b"\n" else b"\n" + line
    whole = False
    try:
        whole = file.write(line) == len(line)
        os.fsync(file.fileno())
    finally:
        if not whole:
            with suppress(OSError):
                file.truncate(end)
    if not whole:
        raise OSError(errno.ENOSPC, "not all of it could be written")


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **options: Any) -> None:
        return None


def _post_once(request: Request, timeout: float) -> None:
    try:
        with build_opener(_NoRedirect).open(request, timeout=timeout):
            return
    except HTTPError as error:
        with error:
            raise _answer(error.code, error.headers.get("Retry-After")) from None
    except http.client.InvalidURL:
        raise DeliveryError("the address is invalid; check alerts.webhook") from None
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise DeliveryError(f"its certificate is not trusted: {reason.verify_message}") from None
        raise DeliveryError(_system(reason), again=True) from None


def _answer(code: int, retry_after: str | None) -> DeliveryError:
    phrase = HTTPStatus(code).phrase if code in set(HTTPStatus) else ""
    text = f"answered {code} {phrase}".strip()
    if 300 <= code < 400:
        return DeliveryError(f"{text}; declare the address that it leads to")
    again = code >= 500 or code == HTTPStatus.TOO_MANY_REQUESTS
    wait = float(retry_after) if retry_after and retry_after.isdecimal() else None
    return DeliveryError(text, again=again, wait=wait)


def _mail_once(declared: Mail, message: EmailMessage, timeout: float) -> dict[str, tuple[int, bytes]]:
    user, password = os.environ.get(USER), os.environ.get(PASSWORD, "")
    trusted = ssl.create_default_context()
    server: smtplib.SMTP | None = None
    encrypted = False
    try:
        if declared.port == _TLS_FROM_THE_START:
            server = smtplib.SMTP_SSL(declared.host, declared.port, timeout=timeout, context=trusted)
            encrypted = True
        else:
            server = smtplib.SMTP(declared.host, declared.port, timeout=timeout)
            if declared.starttls:
                server.starttls(context=trusted)
                encrypted = True
        if user and encrypted:
            server.login(user, password)
        return server.send_message(message)
    except smtplib.SMTPException as error:
        raise _smtp(error, bool(user) and not encrypted) from None
    except ssl.SSLCertVerificationError as error:
        raise DeliveryError(f"its certificate is not trusted: {error.verify_message}") from None
    except OSError as error:
        raise DeliveryError(_system(error), again=True) from None
    finally:
        if server is not None:
            # Accepted mail stays accepted even if QUIT fails.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()


def _smtp(error: smtplib.SMTPException, kept_back: bool) -> DeliveryError:
    """Translate a server's refusal; its own text may quote credentials, so it is left out."""
    hint = "; user and password are not given without encryption (starttls)" if kept_back else ""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = sorted({code for code, _ in error.recipients.values()})
        text = f"no address was accepted (answer {', '.join(map(str, codes))}){hint}"
        return DeliveryError(text, again=all(400 <= code < 500 for code in codes))
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return DeliveryError(f"{USER} and {PASSWORD} were refused (answer {error.smtp_code})")
    if isinstance(error, smtplib.SMTPResponseException):
        return DeliveryError(f"answered {error.smtp_code}{hint}", again=400 <= error.smtp_code < 500)
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return DeliveryError("closed the connection", again=True)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return DeliveryError("offers no STARTTLS or no log-in; declare starttls: false in a trusted network")
    return DeliveryError(f"{type(error).__name__}{hint}")


def _try(once: Callable[[], Result], where: str, patience: Patience) -> Result:
    """Call `once`, with retries while its error is transient."""
    tries = 0
    while True:
        tries += 1
        try:
            return once()
        except DeliveryError as error:
            if not error.again or tries > len(patience.waits):
                times = f", {tries} times" if tries > 1 else ""
                raise DeliveryError(f"{where}: {error}{times}") from None
            time.sleep(min(max(patience.waits[tries - 1], error.wait or 0.0), _LONGEST_WAIT))


def _system(error: object) -> str:
    """The operating system's error text; texts of libraries may quote the address."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or type(error).__name__
