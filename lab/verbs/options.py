"""What the verbs share: the types of their options, and their exit codes."""

from typing import Annotated

from cyclopts import Group, Parameter

OK, NOT_AS_EXPECTED, COULD_NOT_RUN, INTERRUPTED = 0, 1, 2, 130

Json = Annotated[bool, Parameter(negative="", help="Print the result as JSON.")]
PortText = Annotated[str | None, Parameter(group=Group("Ports"), show_default=False)]
# Every value is checked by what it is for, so that all bad ones are named at once.
Text = str | None
