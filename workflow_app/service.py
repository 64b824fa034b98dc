"""The app's parts, wired together, with their lives tied to the web server's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from workflow_app.clock import unix_ms
from workflow_app.engine import Engine, EngineRecord
from workflow_app.errors import (
    EngineUnreachableError,
    InstanceActiveError,
    InvalidPayloadError,
    UnknownInstanceError,
)
from workflow_app.executions import ExecutionLog
from workflow_app.feed import Feed, first_seq
from workflow_app.ids import new_instance_id
from workflow_app.inputs import check_payload
from workflow_app.instances import NOT_FOUND, UNREACHABLE, Instance, Instances
from workflow_app.link import SidecarLink
from workflow_app.llm import LlmClient
from workflow_app.metrics import Metrics
from workflow_app.poller import Poller
from workflow_app.settings import Settings
from workflow_app.suspension import Suspender
from workflow_app.worker import Worker

_log = structlog.get_logger(__name__)

WORKER_STOP_TIMEOUT_S: Final = 2.0


class Service:
    """Everything behind the routes."""

    def __init__(self, settings: Settings) -> None:
        first = first_seq(unix_ms())
        self._settings = settings
        self.instances = Instances(limit=settings.instances_limit, first=first)
        self.executions = Feed(limit=settings.executions_limit, first=first)
        self.metrics = Metrics(self.instances.by_status)
        self._llm = LlmClient(
            base_url=settings.llm_base_url,
            model=settings.model,
            timeout_s=settings.llm_timeout_s,
            connections=2 * settings.activity_threads,
        )
        log = ExecutionLog(feed=self.executions, instances=self.instances, metrics=self.metrics)
        self._worker = Worker(settings, llm=self._llm, log=log, instances=self.instances)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the worker, the poller and the watch of the sidecar until the block ends."""
        settings = self._settings
        self._engine = Engine(settings.sidecar_address, timeout_s=settings.engine_timeout_s)
        self._suspender = Suspender(self._engine, confirm_s=settings.engine_timeout_s)
        self._link = SidecarLink(settings.sidecar_address, changed=self._sidecar_changed)
        poller = Poller(
            engine=self._engine,
            instances=self.instances,
            interval_s=settings.poll_interval_s,
            rate_per_s=settings.poll_rate_per_s,
        )
        self._worker.start()
        tasks = [asyncio.create_task(self._link.watch()), asyncio.create_task(poller.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            stopped = await asyncio.to_thread(self._worker.stop, WORKER_STOP_TIMEOUT_S)
            _log.info("worker_stopped" if stopped else "worker_still_busy")

    def health(self) -> dict[str, str]:
        """Return whether the worker ever had work, and whether the sidecar can be reached."""
        return {
            "status": "ok" if self._worker.started else "starting",
            "sidecar": "connected" if self._link.connected else "unreachable",
        }

    async def start(self, name: str, *, instance_id: str | None, given: dict[str, Any]) -> str:
        """Start a workflow and return its instance id; errors as `Engine.start`."""
        instance_id = instance_id or new_instance_id(name)
        at_unix_ms = unix_ms()
        before = self.instances.get(instance_id)
        try:
            await self._engine.start(name, instance_id=instance_id, given=given)
        except InstanceActiveError:
            raise InstanceActiveError(
                f"workflow {instance_id!r} is active; choose another id or terminate it first"
            ) from None
        self.instances.started(
            instance_id,
            name=name,
            given=given,
            at_unix_ms=at_unix_ms,
            accepted_unix_ms=unix_ms(),
            before=before,
        )
        self.metrics.started(name)
        return instance_id

    async def describe(self, instance_id: str) -> dict[str, Any]:
        """Return the entry of an instance with input, output and failure.

        Raises:
            UnknownInstanceError: Neither the engine nor this process knows it.
            EngineUnreachableError: This process does not know it and the engine can't be asked.
        """
        record = await self._engine.record(instance_id)
        self.instances.engine_said(instance_id, record.view)
        known = self.instances.get(instance_id) or _from_engine(instance_id, record)
        entry = known.as_json()
        entry["engine"] = {
            "status": record.view.status,
            "checked_unix_ms": record.view.checked_unix_ms,
            "detail": record.view.detail,
        }
        given = record.input if record.input is not None else known.input
        return {**entry, "input": given, "output": record.output, "failure": record.failure}

    async def terminate(self, instance_id: str) -> None:
        """Terminate a workflow; errors as `Engine.terminate`."""
        with _naming(instance_id):
            await self._engine.terminate(instance_id)

    async def suspend(self, instance_id: str) -> bool:
        """Suspend a running workflow; as `Suspender.suspend`."""
        with _naming(instance_id):
            return await self._suspender.suspend(instance_id)

    async def resume(self, instance_id: str) -> bool:
        """Resume a suspended workflow; as `Suspender.resume`."""
        with _naming(instance_id):
            return await self._suspender.resume(instance_id)

    async def raise_event(self, instance_id: str, name: str, payload: Any) -> None:
        """Give a workflow that has not ended an event, which is kept until it waits for it.

        Raises:
            InvalidPayloadError: The workflow would not understand it.
            WorkflowAppError: As `EngineRecord.open_status` and `Engine.raise_event`.
        """
        with _naming(instance_id):
            record = await self._engine.record(instance_id, payloads=False)
            record.open_status(instance_id)
            try:
                check_payload(record.name or "", name, payload)
            except ValueError as error:
                raise InvalidPayloadError(str(error)) from None
            await self._engine.raise_event(instance_id, name, payload)

    async def purge(self, instance_id: str) -> None:
        """Purge a workflow that has ended; errors as `Engine.purge`."""
        with _naming(instance_id):
            await self._engine.purge(instance_id)
        record = await self._engine.record(instance_id, payloads=False)
        self.instances.purged(instance_id, record.view)

    def _sidecar_changed(self, connected: bool) -> None:  # noqa: FBT001 - a callback of one value
        self.metrics.sidecar(connected=connected)
        if connected:
            self._engine.reconnect()


@contextlib.contextmanager
def _naming(instance_id: str) -> Iterator[None]:
    try:
        yield
    except UnknownInstanceError as error:
        raise UnknownInstanceError(
            f"the engine does not know workflow {instance_id!r} ({error}); should an activity "
            "of it run all the same, only deleting its scheduler job ends that"
        ) from None


def _from_engine(instance_id: str, record: EngineRecord) -> Instance:
    if record.view.status == NOT_FOUND:
        raise UnknownInstanceError(f"no workflow {instance_id!r}")
    if record.view.status == UNREACHABLE:
        raise EngineUnreachableError(record.view.detail or "the sidecar can't be reached")
    return Instance(instance_id, record.name or "")
