"""The one credential in a request's headers, and headers without it. Pure."""

from collections.abc import Iterable
from typing import Final

from budget.access import refusals
from budget.errors import RefusedError

RawHeaders = Iterable[tuple[bytes, bytes]]

_AUTHORIZATION: Final = b"authorization"
_API_KEY: Final = b"x-api-key"
_BEARER: Final = b"bearer "
_NOT_FORWARDED: Final = frozenset(
    {_AUTHORIZATION, _API_KEY, b"api-key", b"x-goog-api-key", b"proxy-authorization"}
)
"""Where providers look for a key: what the caller sends there must not win over the gateway's."""


def credential_in(headers: RawHeaders) -> bytes:
    """Return the key that a request shows, as the SDKs send it.

    Which of two would count is never guessed: several are refused unless they are one and the same
    in `Authorization` and `x-api-key`.

    Raises:
        RefusedError: 401; there is none, or no single one.
    """
    shown = [(name, value) for name, value in headers if name in {_AUTHORIZATION, _API_KEY}]
    if not any(value.strip() for _, value in shown):
        raise RefusedError(refusals.missing_key())
    if len({name for name, _ in shown}) < len(shown):
        raise RefusedError(refusals.several_keys())
    keys = {_bearer(value) if name == _AUTHORIZATION else value for name, value in shown}
    if len(keys) > 1:
        raise RefusedError(refusals.several_keys())
    return keys.pop()


def without_credentials(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """Return the headers that may leave for the provider: the caller's key is not the provider's.

    Names are lower case, as in an ASGI scope.
    """
    return [(name, value) for name, value in headers if name not in _NOT_FORWARDED]


def _bearer(value: bytes) -> bytes:
    if value[: len(_BEARER)].lower() != _BEARER:
        raise RefusedError(refusals.not_bearer())
    return value[len(_BEARER) :].strip(b" \t")
