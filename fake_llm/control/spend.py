"""What the control routes show, as documented models."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from fake_llm.journal import CallRecord, CallStatus, Page
from fake_llm.tally import Spend
from metering.money import Money, format_usd

Dimension = Literal["model", "workflow", "root", "instance", "activity", "caller"]

UsdText = Annotated[str, Field(description="Dollars with nine decimals", examples=["0.014660000"])]


class SpendView(BaseModel):
    """Sums over calls."""

    usd: UsdText
    nano_usd: int
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    duplicate_calls: int
    unpriced_calls: int
    in_flight: int
    per_hour: Annotated[Money, Field(description="Spend of the last 60 s times 60")]
    per_month: Annotated[Money, Field(description="30 days of per_hour")]
    first_call_unix_ms: int | None
    last_call_unix_ms: int | None

    @classmethod
    def of(cls, spend: Spend) -> "SpendView":
        """Show sums."""
        return cls.model_validate(_shown(spend))


class GroupView(SpendView):
    """Sums over the calls of one group."""

    key: str

    @classmethod
    def of_group(cls, key: str, spend: Spend) -> "GroupView":
        """Show the sums of a group."""
        return cls.model_validate({"key": key, **_shown(spend)})


class SpendByView(BaseModel):
    """Sums by one dimension, dearest first; `other` holds the calls of all groups not listed."""

    by: Dimension
    groups: list[GroupView]
    other: SpendView


class CallView(BaseModel):
    """One charged call."""

    seq: int
    started_unix_ms: int
    ended_unix_ms: int
    model: str
    app: str
    workflow: str
    root: str
    instance: str
    activity: str
    task_id: str
    execution_id: str
    idempotency_key: str
    stream: bool
    input_tokens: int
    output_tokens: int
    usd: UsdText
    nano_usd: int
    duplicate: bool
    status: CallStatus

    @classmethod
    def of(cls, call: CallRecord) -> "CallView":
        """Show a call."""
        who = call.identity
        return cls(
            seq=call.seq,
            started_unix_ms=call.started_unix_ms,
            ended_unix_ms=call.ended_unix_ms,
            model=call.model,
            app=who.app,
            workflow=who.workflow,
            root=who.root,
            instance=who.instance,
            activity=who.activity,
            task_id=who.task_id,
            execution_id=who.execution_id,
            idempotency_key=who.idempotency_key,
            stream=call.stream,
            input_tokens=call.usage.input_tokens,
            output_tokens=call.usage.output_tokens,
            usd=format_usd(call.nano_usd),
            nano_usd=call.nano_usd,
            duplicate=call.duplicate,
            status=call.status,
        )


class CallsView(BaseModel):
    """A stretch of the feed of charged calls."""

    calls: list[CallView]
    next: Annotated[int, Field(description="What to ask for as `after` the next time")]
    dropped: Annotated[int, Field(description="Calls after `after` that are no longer kept")]

    @classmethod
    def of(cls, page: Page) -> "CallsView":
        """Show a stretch."""
        calls = [CallView.of(call) for call in page.calls]
        return cls(calls=calls, next=page.next, dropped=page.dropped)


class ModelView(BaseModel):
    """A model that has a price, as OpenAI lists it."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "fake-llm"


class ModelsView(BaseModel):
    """All models that have a price."""

    object: Literal["list"] = "list"
    data: list[ModelView]


class StatusView(BaseModel):
    """That all is well."""

    status: Literal["ok"] = "ok"


def _shown(spend: Spend) -> dict[str, object]:
    shown: dict[str, object] = spend._asdict()
    del shown["minute_nano_usd"]
    return {
        **shown,
        "usd": format_usd(spend.nano_usd),
        "per_hour": spend.per_hour,
        "per_month": spend.per_month,
    }
