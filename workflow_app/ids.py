"""Instance ids and event names that every version of Dapr handles well."""

import re
import uuid
from typing import Annotated, Final

from pydantic import AfterValidator

INSTANCE_ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
MAX_ID_LENGTH: Final = 100

_MATCHER = re.compile(INSTANCE_ID_PATTERN.removesuffix("$") + r"\Z")


def check_instance_id(value: str) -> str:
    r"""Return the id, or raise a ValueError that says which ids are possible.

    Dapr takes more, but `::` makes its activities run for ever on 1.16.1 and hang on 1.18.3, `||`
    breaks its listing, and others are no job names.
    """
    if not _MATCHER.match(value):
        raise ValueError(
            "an instance id has 1 to 100 letters, digits, '.', '_' or '-' and begins with a "
            f"letter or digit ({INSTANCE_ID_PATTERN}); Dapr misbehaves on ':' and others"
        )
    return value


def check_event_name(value: str) -> str:
    """Return the name of an event, or raise a ValueError that says which names are possible."""
    if not _MATCHER.match(value):
        raise ValueError(
            "an event's name has 1 to 100 letters, digits, '.', '_' or '-' and begins with a "
            f"letter or digit ({INSTANCE_ID_PATTERN})"
        )
    return value


InstanceId = Annotated[str, AfterValidator(check_instance_id)]
EventName = Annotated[str, AfterValidator(check_event_name)]


def new_instance_id(workflow: str) -> str:
    """Return a fresh id that begins with the workflow's name."""
    return f"{workflow}-{uuid.uuid4().hex}"


def child_id(parent: str, number: int) -> str:
    """Return the id of a workflow's n-th child, from 1 to 999: the same in every replay.

    The id that Dapr would choose holds a `:`.
    """
    return f"{parent}.{number:03d}"


LONGEST_PARENT_ID: Final = MAX_ID_LENGTH - len(child_id("", 1))
