"""One request to a provider route, from its arrival to how it ended: what all parts know of it."""

from dataclasses import dataclass
from typing import Literal

from metering.identity import CallerIdentity

Ended = Literal["open", "answered", "cut", "refused", "gone", "broken"]
"""`answered` in full, `cut` short by a fault or its client, `refused` with an error status, `gone`
before there was anything to charge, `broken` by a mistake of this service's own; `open` until
then."""


@dataclass(slots=True, eq=False)
class Visit:
    """A request, filled in as it becomes known; only the way of the call (`calls`) writes to it.

    Attributes:
        path: The route's.
        identity: Who asks.
        started_unix_ms: When it came.
        fault_header: Faults that it asks for itself; None: no such header.
        body_hash: Hash of its body; empty until that was read.
        model: As its body names it; empty until that was read.
        stream: Whether the answer is to be streamed.
        has_output: Whether its model makes output tokens; embeddings have no price for any.
        input_tokens: Of the prompt.
        output_tokens: Of the planned answer.
        faults: Kinds of the faults that struck it, in order.
        ended: How.
        ended_unix_ms: When that was known, which is before the answer leaves.
        status: HTTP status of the answer; 0: there was none.
        code: `error.code` of a refusal, or None.
        retry_after_s: When a refusal asked to come again, in seconds; None: it said nothing.
    """

    path: str
    identity: CallerIdentity
    started_unix_ms: int
    fault_header: bytes | None = None
    body_hash: bytes = b""
    model: str = ""
    stream: bool = False
    has_output: bool = True
    input_tokens: int = 0
    output_tokens: int = 0
    faults: tuple[str, ...] = ()
    ended: Ended = "open"
    ended_unix_ms: int = 0
    status: int = 0
    code: str | None = None
    retry_after_s: float | None = None
