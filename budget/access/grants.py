"""What a request may do that showed a valid key, or needed none. Pure."""

from dataclasses import dataclass, field, replace
from typing import Final

from budget.access import refusals
from budget.access.credentials import RawHeaders, without_credentials
from budget.access.keys import Binding, KeyRecord
from budget.errors import RefusedError
from metering.identity import UNKNOWN, CallerIdentity

TENANT_HEADER: Final = b"x-budget-tenant"


@dataclass(frozen=True, slots=True)
class Grant:
    """Whose call it is, and what it is bound to.

    Attributes:
        tenant: The key's; `unknown` where no key is needed.
        prefix: The key, for people; empty without one.
        binding: What the key may be used for.
    """

    tenant: str = UNKNOWN
    prefix: str = ""
    binding: Binding = field(default_factory=Binding)

    def check_tenant(self, headers: RawHeaders) -> None:
        """Refuse a tenant that the caller chose.

        Raises:
            RefusedError: 403.
        """
        if any(name == TENANT_HEADER and value != self.tenant.encode() for name, value in headers):
            raise RefusedError(refusals.other_tenant(self.tenant))

    def identity(self, claimed: CallerIdentity) -> CallerIdentity:
        """Return who calls: what the call leaves out is what its key alone can mean.

        Raises:
            RefusedError: 403; the call names an app or a workflow that the key is not bound to, or
                none where the key has several.
        """
        if not (self.binding.apps or self.binding.workflows):
            return claimed
        return replace(
            claimed,
            app=self._bound("app", self.binding.apps, claimed.app),
            workflow=self._bound("workflow", self.binding.workflows, claimed.workflow),
        )

    def check_model(self, model: str) -> None:
        """Refuse a model that the key is not bound to.

        Raises:
            RefusedError: 403.
        """
        self._bound("model", self.binding.models, model)

    def forwarded(self, headers: RawHeaders) -> RawHeaders:
        """Return what may leave for the provider: not the key, where it is one of this gateway's.

        Without keys the caller's credential is the provider's business.
        """
        return without_credentials(headers) if self.prefix else headers

    def _bound(self, what: str, allowed: tuple[str, ...], given: str) -> str:
        if not allowed or given in allowed:
            return given
        if given == UNKNOWN and len(allowed) == 1:
            return allowed[0]
        raise RefusedError(refusals.not_bound_to(self.prefix, what, allowed, given))


def grant_of(record: KeyRecord) -> Grant:
    """Return what the owner of a data key may do."""
    return Grant(record.tenant, record.prefix, record.binding)
