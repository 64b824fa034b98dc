"""What the data path asks of a provider and of its routes."""

from typing import Protocol

from budget.calls.pricing import PricedCall
from budget.calls.refusals import Refusal
from budget.calls.streams import StreamReader
from metering.usage import Usage


class Provider(Protocol):
    """How a provider's clients read what is no answer."""

    @property
    def name(self) -> str:
        """`openai` or `anthropic`."""

    def error_body(self, refusal: Refusal) -> bytes:
        """Encode an error as the provider would."""

    def error_event(self, refusal: Refusal) -> bytes:
        """Encode an error in the middle of a stream."""


class Route(Protocol):
    """One route that costs money."""

    @property
    def provider(self) -> Provider:
        """Whose it is."""

    def price(self, body: bytes) -> PricedCall:
        """Read a request body and bound what it may cost.

        Raises:
            RefusedError: 400: malformed, unpriced, or without a bound on its cost.
        """

    def read_usage(self, body: bytes) -> Usage | None:
        """Return what a plain answer says it used, None when it does not say.

        Raises:
            UsageError: It says so in a way that can't be priced.
        """

    def reader(self, call: PricedCall) -> StreamReader:
        """Return what follows the call's stream."""
