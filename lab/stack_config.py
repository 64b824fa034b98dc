"""What a stack is made of: every choice that changes how it behaves."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lab.ports import Ports

APP_ID = "workflow-app"
NAMESPACE = "default"
# A restart of sidecar or app makes an activity run twice or three times in a healthy workflow.
ZOMBIE_EXECUTIONS = 5
RuntimeName = Literal["embedded", "dapr", "compose"]


class StackConfig(BaseModel):
    """One stack; money is decimal text, as the services' settings take it.

    Attributes:
        directory: where its data, logs and state are kept.
        components: folder of Dapr component files that the sidecar reads.
        dapr_bin: folder of Dapr's programs; None: they are looked for.
        profile: the version of Dapr that runs, or is behaved like.
        ttft_s: time to first token of the fake LLM, seconds.
        workflows: how many run at once at most; None: nobody knows, the services' own limits hold.
        output_tokens: length of an answer of the fake LLM; None: its own default.
        price_file: prices that fake LLM and gateway both use in place of the published ones.
        replay: the gateway answers a repeated idempotency key with the stored response.
        zombie_executions: at so many executions of one activity the gateway refuses its instance
            and stops it at its source; None: it never does.
        inherit_settings: pass on service settings (`BUDGET_…` and so on) of the caller's
            environment; a run that is to be repeated takes none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    directory: Path
    components: Path
    ports: Ports = Ports()
    runtime: RuntimeName = "embedded"
    dapr_bin: Path | None = None
    profile: str = "1.16.1"
    budget_mode: Literal["observe", "cap"] = "cap"
    cap_usd: str | None = None
    safety_cap_usd: str | None = None
    ttft_s: float = 0.0
    workflows: int | None = None
    output_tokens: int | None = None
    price_file: Path | None = None
    replay: bool = False
    zombie_executions: int | None = None
    seed: int = 1
    inherit_settings: bool = False

    @property
    def logs(self) -> Path:
        """Return the folder of log files, one a service."""
        return self.directory / "logs"

    @property
    def data(self) -> Path:
        """Return the folder of what the services store."""
        return self.directory / "data"

    def url(self, name: str) -> str:
        """Return the HTTP address of the service that listens on port `name`."""
        return f"http://127.0.0.1:{getattr(self.ports, name)}"
