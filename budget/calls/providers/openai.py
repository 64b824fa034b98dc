"""How OpenAI's clients read errors: those of all servers that speak its language."""

from typing import Final

from budget.calls.refusals import Refusal
from metering.sse import encode_event


class OpenAi:
    """OpenAI."""

    name = "openai"

    def error_body(self, refusal: Refusal) -> bytes:
        """Encode `{"error": …}`."""
        return refusal.body()

    def error_event(self, refusal: Refusal) -> bytes:
        """Encode an event with an error: clients raise it, and nothing follows."""
        return encode_event(refusal.body())


OPENAI: Final = OpenAi()
