"""One arm of a run, with the stack that it gets."""

from dataclasses import dataclass

from lab.scenario import ArmName, Scenario
from lab.stack_config import StackConfig


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """What an arm is, before anything of it runs.

    Attributes:
        run_id: its workflows are called `<run_id>-<n>`.
    """

    arm: ArmName
    scenario: Scenario
    config: StackConfig
    run_id: str
