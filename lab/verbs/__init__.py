"""The verbs of the `runaway` command; each loads what it needs, so that help stays quick."""

from collections.abc import Callable
from typing import Final

from lab.verbs.experiments import project, report, reproduce
from lab.verbs.stack import disrupt, down, status, stop, up
from lab.verbs.upkeep import check, doctor, test

VERBS: Final[tuple[Callable[..., int], ...]] = (
    *(up, down, status, disrupt, stop),
    *(reproduce, report, project),
    *(doctor, test, check),
)

__all__ = ["VERBS"]
