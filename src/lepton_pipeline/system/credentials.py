"""Detection and masking of secrets in all output: MLflow, files, terminal, logs, alerts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from typing import TypeVar
from urllib.parse import quote, unquote, urlsplit

Value = TypeVar("Value")
MASK = "***"
# Names of keys, variables and arguments whose values are secrets.
_NAMED = (
    r"(?:passw(?:or)?d|passphrase|secret|webhook)[\w-]{0,60}"
    r"|(?:token|pwd|credentials?|(?:api|access|account|private)[_-]?key)(?![a-z])[\w-]{0,60}"
)
_NAME = re.compile(rf"(?i)(?:{_NAMED})$")
_VARIABLE = re.compile(
    r"(?i)(?:^|_)(?:password|passwd|passphrase|secret|webhook|token|pwd|(?:\w+_)?key|credentials?)$"
)
# Keys that messages show; user and password of addresses among them are still masked.
_PLAIN = re.compile(
    "anon|artifact_root|bucket|cool_down|database|dbname|driver|endpoint(_url)?|file(path)?|folder|host(name)?|login|path"
    "|port|profile|project|protocol|region(_name)?|sender|server|to|tracking_uri|type|user(name)?"
)
# Mappings of a declaration whose keys are names of the data.
_NAMES_OF_DATA = frozenset({"dates", "derive", "two_digit_years", "windows"})
# Shorter values are common texts; those below the second number are masked as whole words only.
_SHORTEST, _LONG = 6, 12
_ADDRESS, _HOST = r"https?://", r"[^/?\s'\"]"
# An address that is declared as a webhook, or calls itself one.
_HOOK = "|".join(
    (
        rf"webhook\W{{1,80}}?{_ADDRESS}{_HOST}{{1,200}}",
        rf"{_ADDRESS}{_HOST}{{0,100}}\bhooks?\b{_HOST}{{0,100}}",
        rf"{_ADDRESS}{_HOST}{{1,200}}(?:/[\w-]{{1,40}}){{0,3}}/webhooks?",
    )
)
# A webhook that is masked already.
_HIDDEN = rf"{_ADDRESS}{_HOST}{{1,200}}/\*\*\*"
# Bounded, since texts may be hostile; up to the last @, since a password may hold one.
_PATTERNS = tuple(
    (re.compile(pattern), shown)
    for pattern, shown in (
        (r"://[^\s'\"<>]{0,500}@", f"://{MASK}@"),
        # An address without a scheme, or with one that lacks its slashes.
        (r"(?<![\w.+/-])(?!mailto:)[\w.+-]{1,80}:(?!//)[^\s'\"<>]{1,500}@(?=[\w\[])", f"{MASK}@"),
        (rf"(?i)({_HOOK})[/?][^\s'\"]*", rf"\1/{MASK}"),
        (
            r"(?i)([?&;][^=&\s]{0,80}(?:password|passwd|pwd|secret|token|key|credential|sig|signature)[^=&\s]{0,80}=)[^&\s'\"]+",
            rf"\1{MASK}",
        ),
        (r"(?i)(\bbearer )[\w.~+/=-]{8,}", rf"\1{MASK}"),
        # "password": "..", password='..', password: str = "..".
        (
            rf"(?i)((?:{_NAMED})(?:\s?:\s?\w{{1,40}}(?=\s?=))?['\"]?\s?[=:]\s?(['\"]))(?!{_HIDDEN})[^'\"\n]+(?=\2)",
            rf"\1{MASK}",
        ),
    )
)
_ARGUMENT = re.compile(rf"(?i)((?:{_NAMED})=)(?!{_HIDDEN})[^\s'\"&=][^\s'\"&]*")
# A line of YAML, as parsers quote it and as a difference has it.
_LINE = re.compile(
    rf"(?im)^([ \t+-]{{1,60}}(?:[^'\"\n]{{0,120}}[{{, ])?['\"]?(?:{_NAMED})['\"]?:[ \t]{{1,9}})"
    rf"(?!['\"]?{_HIDDEN}|\$\{{)[^\s,}}][^,}}\n]*"
)
_known: set[str] = set()


def masked(value: Value) -> Value:
    """Mask all secrets in a text, a patch (bytes), or mappings and lists of such.

    Secrets are user and password of an address, passwords and tokens in addresses and arguments, webhook
    paths, values of keys with such names, values given to `learn`, and environment variables with such names.

    >>> masked("cannot reach postgresql://me:secret@db/x")
    'cannot reach postgresql://***@db/x'
    """
    return _masked(value)  # type: ignore[return-value]  # of the same kind


def learn(declared: object, name: str = "", *, secret: bool = False) -> None:
    """Remember the secrets of a configuration, to mask their values from then on.

    `secret` says that every value is one, whatever its key `name`, as in `credentials.yml`.
    """
    if isinstance(declared, Mapping):
        for key, each in declared.items():
            inside = isinstance(each, Mapping) and key == "credentials"
            learn(each, str(key), secret=secret or inside)
    elif isinstance(declared, (list, tuple)):
        for each in declared:
            learn(each, name, secret=secret)
    elif isinstance(declared, str):
        secret = (secret or bool(_NAME.search(name))) and not _PLAIN.fullmatch(name)
        for text in _secrets_of(declared.strip(), name, secret):
            _known.update({text, unquote(text), quote(text, safe="")})


def _secrets_of(text: str, name: str, secret: bool) -> list[str]:
    _, slashes, rest = text.partition("://")
    if not slashes:
        # A store's address may lack its scheme.
        user = text.rpartition("@")[0] if name in ("con", "tracking_uri") else ""
        return [text] if secret else [user]
    user, at, _ = rest.rpartition("@")
    found = [user, user.partition(":")[2]] if at else []
    found += re.findall(r"(?i)[?&;][^=&]*(?:password|passwd|pwd|secret|token|key|sig)[^=&]*=([^&]+)", rest)
    if "webhook" in name.lower():
        found.append(re.sub(r"^[^/?]*[/?]", "", rest))
    return found


def _masked(value: object, key: str = "") -> object:
    if isinstance(value, str):
        if key == "webhook":
            return _masked_webhook(value)
        return MASK if value and _NAME.search(key) else _text(value)
    if isinstance(value, bytes):
        return _patch(value)
    if isinstance(value, Mapping):
        free = key in _NAMES_OF_DATA
        return {name: _masked(each, "" if free else str(name)) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        found = [_masked(each, key) for each in value]
        return tuple(found) if isinstance(value, tuple) else found
    return value


def _masked_webhook(value: str) -> str:
    """Keep only the host of a webhook."""
    try:
        address = urlsplit(value)
    except ValueError:
        return MASK
    return f"{address.scheme}://{address.hostname}/{MASK}" if address.hostname else MASK


def _text(text: str) -> str:
    return _LINE.sub(rf"\1{MASK}", _ARGUMENT.sub(rf"\1{MASK}", _literals(text)))


def _literals(text: str) -> str:
    """Mask what is a secret in source code, too; `token=token` is not."""
    known = _by_value(frozenset({*_known, *_variables()}))
    if known is not None:
        text = known.sub(MASK, text)
    for pattern, shown in _PATTERNS:
        text = pattern.sub(shown, text)
    return text


def _patch(patch: bytes) -> bytes:
    """Mask a patch by file: Python code that only names a password holds none."""
    parts = re.split(r"(?m)^(?=diff --git )", patch.decode("utf-8", "surrogateescape"))
    shown = (_literals(part) if re.match(r"diff --git .*\.py\n", part) else _text(part) for part in parts)
    return "".join(shown).encode("utf-8", "surrogateescape")


def _variables() -> list[str]:
    """Values of environment variables with secret names, except paths of files."""
    values = [value for name, value in os.environ.items() if _is_secret_variable(name)]
    parts = (part for value in values for part in _secrets_of(value, "webhook", True))
    return [part for part in parts if not os.path.exists(part)]  # noqa: PTH110  # of any text


@cache
def _is_secret_variable(name: str) -> bool:
    # Folders of the shell.
    return name not in ("PWD", "OLDPWD") and _VARIABLE.search(name) is not None


@cache
def _by_value(known: frozenset[str]) -> re.Pattern[str] | None:
    values = sorted((each for each in known if len(each) >= _SHORTEST), key=lambda each: (-len(each), each))
    if not values:
        return None
    escaped = [(each, re.escape(each)) for each in values]
    shown = (text if len(each) >= _LONG else rf"(?<![^\W_]){text}(?![^\W_])" for each, text in escaped)
    return re.compile("|".join(shown))
