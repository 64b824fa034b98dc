"""The healthy workflows of arm `full`: what stops a runaway must leave them alone.

They are asked for as soon as the sidecar is back, so that they begin in the very moment in which
the lost activities come again. The id of one is a prefix of the others', and an id of those is a
prefix of the other's: an id that is matched by its beginning would be found out.
"""

from dataclasses import dataclass

import httpx

from lab.errors import CannotRunError, DeadlineError
from lab.recorder import Recorder
from lab.scenario import Scenario
from lab.stack_config import StackConfig
from lab.waiting import Waiter

STEPS = 3
PAUSE_S = 0.2
# Small, so that a cap that is made for the runaway leaves room for them.
_PROMPT_TOKENS, _MAX_TOKENS = 100, 50
_ASK_TIMEOUT_S = 15.0
_POLL_S = 0.25
_MARGIN_S = 20.0
_ACCEPTED, _ACTIVE = 202, 409
_SHOWN = 300


def control_ids(run_id: str) -> tuple[str, ...]:
    """Return the ids of the control workflows of a run."""
    return run_id, f"{run_id}-1-control"


@dataclass(slots=True)
class Controls:
    """The control workflows of one arm.

    Attributes:
        started: ids that the engine has accepted.
    """

    config: StackConfig
    scenario: Scenario
    run_id: str
    started: tuple[str, ...] = ()
    _answer: str = "not asked yet"

    def start(self, waiter: Waiter, *, timeout_s: float) -> None:
        """Start them, and ask again until the engine has accepted each.

        Raises:
            DeadlineError: it did not; the text has its last answer.
            CannotRunError: the app takes no such workflow.
        """
        with httpx.Client(timeout=_ASK_TIMEOUT_S, trust_env=False) as client:
            for instance_id in control_ids(self.run_id):
                waiter.until(
                    lambda wanted=instance_id: self._ask(client, wanted),  # type: ignore[misc]
                    "the engine to accept a control workflow",
                    timeout_s=timeout_s,
                    poll_s=_POLL_S,
                    progress=lambda: self._answer,
                )
                self.started += (instance_id,)

    def wait(self, waiter: Waiter, recorder: Recorder) -> None:
        """Wait until each has ended, or could have; that one did not is for the verdict to see."""
        left: list[str] = []

        def all_ended() -> bool:
            nonlocal left
            recorder.look_at("workflows")
            seen = recorder.workflows()
            left = [i for i in self.started if not seen.get(i, {"app": {}})["app"].get("finished")]
            return not left

        try:
            waiter.until(
                all_ended,
                "the control workflows to end",
                timeout_s=STEPS * (self.scenario.call_s + PAUSE_S) + _MARGIN_S,
                progress=lambda: f"{len(left)} left",
            )
        except DeadlineError:
            return

    def _ask(self, client: httpx.Client, instance_id: str) -> bool:
        given = {
            "steps": STEPS,
            "pause_s": PAUSE_S,
            "prompt_tokens": _PROMPT_TOKENS,
            "max_tokens": _MAX_TOKENS,
        }
        body = {"name": "agent", "id": instance_id, "input": given}
        try:
            answer = client.post(f"{self.config.url('app')}/workflows", json=body)
        except httpx.TransportError as error:
            self._answer = type(error).__name__
            return False
        self._answer = f"last answer: {answer.status_code}"
        # An answer that was lost on the way makes the next question meet an active instance.
        if answer.is_client_error and answer.status_code != _ACTIVE:
            said = f"{answer.status_code}: {answer.text[:_SHOWN]}"
            raise CannotRunError(f"the app refused a control workflow: {said}")
        return answer.status_code in (_ACCEPTED, _ACTIVE)
