"""What an arm saw, as plain records: the only input of the verdict and the report.

All times are Unix milliseconds, all money integer nano-dollars. Unknown fields of the services'
feeds are ignored, so that they may grow.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lab.scenario import ArmName, Scenario


def _nano(value: object) -> object:
    return value["nano_usd"] if isinstance(value, Mapping) else value


# The services show money as {"usd", "nano_usd"}.
NanoUsd = Annotated[int, BeforeValidator(_nano)]
MaybeNanoUsd = Annotated[int | None, BeforeValidator(_nano)]
Text = Annotated[str, BeforeValidator(str)]

# What the gateway says to a call that spent money, not held money, leaves no room for.
_FOR_GOOD = ("budget_exceeded", "request_exceeds_budget")


class Record(BaseModel):
    """Base of all records: immutable, tolerant of fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Call(Record):
    """One paid call, from the fake LLM's own journal."""

    seq: int
    started_unix_ms: int
    ended_unix_ms: int
    instance: str
    activity: str
    task_id: Text
    execution_id: str
    nano_usd: int = Field(ge=0)
    duplicate: bool
    status: str


class Execution(Record):
    """One ended execution of an activity, as the app saw it."""

    seq: int
    started_unix_ms: int
    ended_unix_ms: int
    instance: str
    activity: str
    task_id: Text
    execution_id: str
    run: int
    outcome: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what stays the same over the engine's redeliveries."""
        return self.execution_id, self.task_id


class Decision(Record):
    """One decision of the budget gateway; evidence of older runs does not say about whose call."""

    seq: int
    at_unix_ms: int
    decision: str
    code: str | None = None
    scope: str | None = None
    execution_id: str = ""
    task_id: Text = ""
    requested: NanoUsd

    def is_for_good(self, limit: int) -> bool:
        """Tell whether spent money refused a call that the limit once had room for.

        A call larger than the whole limit is refused for its size, whatever was spent.
        """
        return self.code in _FOR_GOOD and self.requested <= limit


class LedgerEntry(Record):
    """One movement of money, from the budget's own store.

    Attributes:
        cost: what a settlement was about; None elsewhere.
    """

    seq: int
    at_unix_ms: int
    event: str
    reserved_delta: NanoUsd
    spent_delta: NanoUsd
    cost: MaybeNanoUsd = None


class BudgetLine(Record):
    """The state of one scope of the budget."""

    scope: str
    limit: MaybeNanoUsd
    safety_limit: MaybeNanoUsd = None
    spent: NanoUsd
    reserved: NanoUsd
    calls: int
    refusals: int
    cut_off_unix_ms: int | None = None


class Spend(Record):
    """Totals of the fake LLM."""

    nano_usd: int = Field(ge=0)
    calls: int
    duplicate_calls: int
    unpriced_calls: int = 0
    in_flight: int = 0


class WorkflowEngine(Record):
    """What the engine says of an instance; None before it was asked."""

    status: str | None


class WorkflowApp(Record):
    """What the app saw of an instance."""

    executions: int
    refusals: int = 0
    in_flight: int
    finished: bool


class Workflow(Record):
    """One workflow instance, from the app's feed."""

    instance_id: str
    started_unix_ms: int | None
    engine: WorkflowEngine
    app: WorkflowApp


class SourceStop(Record):
    """What came of stopping an instance at its source, as the gateway tells it.

    Attributes:
        state: `pending`, `stopped` or `failed`.
        jobs_deleted: activity jobs that the scheduler was told to delete.
        jobs_left: what a second listing still showed; None before it was asked.
    """

    state: str
    requested_unix_ms: int
    ended_unix_ms: int | None = None
    jobs_deleted: int = 0
    jobs_left: int | None = None
    error: str | None = None


class InstanceView(Record):
    """What the gateway says of one workflow instance.

    Attributes:
        state: `live`, `killed` or `zombie`.
        since_unix_ms: since when it is not live.
        most_executions: executions of the activity of it that was executed most often.
        replays: calls answered with a stored response.
    """

    instance: str
    state: str
    since_unix_ms: int | None = None
    reason: str | None = None
    activities: int = 0
    calls: int = 0
    replays: int = 0
    refusals: int = 0
    spent: NanoUsd
    most_executions: int = 0
    source: SourceStop | None = None


class PendingJob(Record):
    """An activity job that the scheduler still held."""

    instance_id: str
    task_id: Text
    activity: str
    execution_id: str


class KeyPoll(Record):
    """Which workflows had state at one moment.

    Attributes:
        keys: instance to the number of its keys.
        with_first_row: instances whose first history row was there.
    """

    t_unix_ms: int
    keys: dict[str, int]
    with_first_row: frozenset[str]


class Disrupted(Record):
    """When the blow fell and when all was back; see `lab.disruptions`."""

    kind: str
    began_unix_ms: int
    state_gone_unix_ms: int | None
    ended_unix_ms: int


class LoadResult(Record):
    """How Locust ended."""

    exit_code: int | None
    summary: dict[str, Any] | None = None
    timeline: tuple[dict[str, Any], ...] = ()


class ArmEvidence(Record):
    """Everything one arm saw.

    Attributes:
        runtime: what the engine called itself.
        in_flight_at_blow: LLM calls in flight in the last look before the disruption.
        first_again_unix_ms: the first execution after the blow of something executed before.
        observed_until_unix_ms: when the observation ended; what came later is draining.
        controls: ids of the healthy workflows that were started after the disruption.
        instances: what the gateway says of each workflow; only in arm `full`.
        jobs_left: activity jobs of disrupted workflows at the end of the observation; None when
            nobody looked.
        missing: feeds that lost entries, or could not be read, with the reason.
    """

    arm: ArmName
    scenario: Scenario
    runtime: str
    ttl_s: int | None
    began_unix_ms: int
    loaded_unix_ms: int
    in_flight_at_blow: int
    disrupted: Disrupted
    first_again_unix_ms: int | None
    observed_until_unix_ms: int
    calls: tuple[Call, ...]
    executions: tuple[Execution, ...]
    decisions: tuple[Decision, ...]
    ledger: tuple[LedgerEntry, ...]
    spend: Spend
    budget: BudgetLine
    workflows: tuple[Workflow, ...]
    keys: tuple[KeyPoll, ...]
    load: LoadResult
    controls: tuple[str, ...] = ()
    instances: tuple[InstanceView, ...] = ()
    jobs_left: tuple[PendingJob, ...] | None = None
    missing: tuple[str, ...] = ()

    @property
    def limit_nano_usd(self) -> int | None:
        """Return the limit that the gateway enforced."""
        limits = [x for x in (self.budget.limit, self.budget.safety_limit) if x is not None]
        if self.arm == "off":
            return self.budget.safety_limit
        return min(limits) if limits else None
