"""Who makes a call: the workflow that it says it is for, and whose key it came with."""

from dataclasses import dataclass
from typing import Final

from metering.identity import UNKNOWN, CallerIdentity

UNKNOWN_TENANT: Final = UNKNOWN
"""Whose calls came with no key that the gateway knows."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller as its calls are counted.

    Attributes:
        identity: What its headers say, each chosen by the caller.
        tenant: Whose API key it showed; never from a header that names a tenant.
    """

    identity: CallerIdentity
    tenant: str = UNKNOWN_TENANT
