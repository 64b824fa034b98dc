"""Reads a service's settings from its environment variables, or names every bad one at once."""

from typing import Annotated, Final, TypeVar

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from serving.errors import StartError

NOT_SHOWN: Final = "not_shown"
"""Type of an error (`PydanticCustomError`) whose value is not to be shown."""

Port = Annotated[int, Field(ge=1, le=65535)]
_Settings = TypeVar("_Settings", bound=BaseSettings)


def read_settings(kind: type[_Settings]) -> _Settings:
    """Return the settings that the environment holds.

    Raises:
        StartError: One line with each bad variable, what is wrong, and its value if no secret.
    """
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        raise StartError("; ".join(_problem(prefix, each) for each in error.errors())) from None


def _problem(prefix: str, error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    variable = name if name.startswith(prefix) else f"{prefix}{name.upper()}"
    message = error["msg"].removeprefix("Value error, ")
    return (
        f"{variable}: {message}"
        if error["type"] in {"missing", NOT_SHOWN}
        else (f"{variable}={error['input']}: {message}")
    )
