"""Whether keys are asked for, decided from the settings before anything is served. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from budget.access.keys import digest_of
from budget.settings import Settings
from serving.errors import StartError

MIN_ADMIN_KEY: Final = 24
_ADMIN_KEY: Final = re.compile(r"[!-~]+")


class Auth(StrEnum):
    """Who is asked for a key.

    `UNTIL_KEYS` asks nobody while no key exists, and everybody from the first one on.
    """

    KEYS = "keys"
    NONE = "none"
    UNTIL_KEYS = "until_keys"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings say about access.

    Attributes:
        auth: Who is asked for a key.
        admin_digest: SHA-256 of BUDGET_ADMIN_KEY; None when it is not set.
        metrics_open: Whether /metrics is read without a key.
        hosts: Names, beside IP addresses and localhost, that the gateway answers to.
    """

    auth: Auth
    admin_digest: str | None
    metrics_open: bool
    hosts: frozenset[str]


def policy_of(settings: Settings) -> Policy:
    """Read the policy.

    Raises:
        StartError: It would let in whoever reaches the port, or contradicts itself.
    """
    is_local = is_loopback(settings.host)
    admin_key = _admin_key(settings)
    auth = _auth(settings, is_local=is_local, has_admin_key=admin_key is not None)
    metrics_open = settings.metrics_open
    return Policy(
        auth,
        None if admin_key is None else digest_of(admin_key.encode()),
        is_local if metrics_open is None else metrics_open,
        settings.host_names,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address to listen on."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _auth(settings: Settings, *, is_local: bool, has_admin_key: bool) -> Auth:
    if settings.auth == "none":
        if has_admin_key:
            raise StartError(
                "BUDGET_AUTH=none asks nobody for a key, but BUDGET_ADMIN_KEY is set: unset one"
            )
        if not (is_local or settings.allow_anyone):
            raise StartError(
                f"BUDGET_AUTH=none with BUDGET_HOST={settings.host} would let whoever reaches the "
                "port spend money and switch the gateway: set BUDGET_AUTH=keys and make keys with "
                "`python -m budget.keys create`, or BUDGET_HOST=127.0.0.1; where the network "
                "itself keeps everybody else out, BUDGET_ALLOW_ANYONE=true"
            )
        return Auth.NONE
    if settings.auth is None and is_local and not has_admin_key:
        return Auth.UNTIL_KEYS
    return Auth.KEYS


def _admin_key(settings: Settings) -> str | None:
    if settings.admin_key is None:
        return None
    key = settings.admin_key.get_secret_value()
    if len(key) < MIN_ADMIN_KEY or not _ADMIN_KEY.fullmatch(key):
        # The value itself stays out of the line.
        raise StartError(
            f"BUDGET_ADMIN_KEY: at least {MIN_ADMIN_KEY} printable ASCII characters without "
            "blanks, such as the output of `openssl rand -hex 32`"
        )
    return key
