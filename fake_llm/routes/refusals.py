"""Refuses what a real provider would do and this service does not."""

from fake_llm.errors import BadRequestError


def refuse_unsupported(fields: list[str]) -> None:
    """Refuse fields of a request.

    Raises:
        BadRequestError: There are any; it names every one.
    """
    if fields:
        raise BadRequestError(
            f"This service does not support {', '.join(fields)}: leave it out.",
            param=fields[0],
            code="unsupported_parameter",
        )
