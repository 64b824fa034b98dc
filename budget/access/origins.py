"""Keeps web pages of other sites away from a gateway on the user's own machine. Pure.

A page can make its visitor's browser send requests to 127.0.0.1, and, when its name is made to
resolve there (DNS rebinding), read the answers. The browser itself tells: the first come with
another `Origin`, the second with the page's name as `Host`. Whoever is no browser can say what he
likes, and is what keys are for.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from budget.access import refusals
from budget.errors import RefusedError

RawHeaders = Iterable[tuple[bytes, bytes]]

_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_OWN_SITES: Final = {b"same-origin", b"none"}
_READING: Final = {"GET", "HEAD"}


def check_origin(
    method: str, headers: RawHeaders, own_names: frozenset[str], *, is_open: bool
) -> None:
    """Refuse what a browser sends for a page that is not the gateway's own.

    A link on another site may lead to the gateway's page: it reads and changes nothing.

    Args:
        method: In upper case.
        headers: Names in lower case.
        own_names: Names of the gateway, in lower case.
        is_open: Whether no key is asked for: then the Host must be known too. With keys it need
            not: a browser never adds one by itself.

    Raises:
        RefusedError: 400 without one plain Host, 403 for another site's page.
    """
    hosts, origins, sites = [], [], []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"origin":
            origins.append(value)
        elif name == b"sec-fetch-site":
            sites.append(value)
    if len(hosts) > 1:
        raise RefusedError(refusals.bad_host())
    authority = _read_authority(hosts[0].decode("latin-1")) if hosts else None
    if is_open and authority is not None and not _is_own(authority[0], own_names):
        raise RefusedError(refusals.foreign_host(authority[0]))
    for origin in origins:
        if not _is_same(origin.decode("latin-1"), authority, own_names):
            raise RefusedError(refusals.cross_origin(origin.decode("latin-1")))
    if method not in _READING and any(site not in _OWN_SITES for site in sites):
        raise RefusedError(refusals.cross_origin("another site"))


def _read_authority(text: str) -> tuple[str, str]:
    """Return name and port; the port is empty where the scheme's own is meant."""
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        raise RefusedError(refusals.bad_host())
    return found[1].lower(), found[2] or ""


def _is_own(name: str, own_names: frozenset[str]) -> bool:
    """Whether a name can't have been made to resolve to this machine by somebody else."""
    if name == "localhost" or name in own_names:
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_same(origin: str, host: tuple[str, str] | None, own_names: frozenset[str]) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    found = _AUTHORITY.fullmatch(parts.netloc)
    if found is None:
        return False
    name, port = found[1].lower(), found[2] or ""
    if name in own_names:
        return True
    default = _DEFAULT_PORTS.get(parts.scheme, "")
    return host is not None and (name, port or default) == (host[0], host[1] or default)
