"""What a provider answers to an embedding request, as far as it concerns its cost."""

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from metering.errors import UsageError
from metering.usage import Usage
from metering.wire import WireModel


class EmbeddingUsage(WireModel):
    """`usage` of an answer."""

    prompt_tokens: NonNegativeInt
    total_tokens: NonNegativeInt | None = None


class _WithUsage(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    usage: EmbeddingUsage | None = None


def read_usage(body: bytes | str) -> Usage | None:
    """Return the usage that an answer reports, None when it reports none.

    Raises:
        UsageError: No JSON, or a malformed usage.
    """
    try:
        usage = _WithUsage.model_validate_json(body).usage
    except ValidationError as error:
        raise UsageError(f"no usage can be read from the provider's answer: {error}") from None
    return None if usage is None else Usage(usage.prompt_tokens, 0, 0)
