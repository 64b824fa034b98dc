"""A `docker` client without an engine: its containers are small processes that answer.

It takes the commands that the lab asks for and refuses all others with exit code 2, writes each
command line to `asked.ndjson` in STANDIN_DOCKER_DIR, and keeps its containers there.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import yaml

HOME = Path(os.environ["STANDIN_DOCKER_DIR"])
SERVICES: Mapping[str, str | None] = yaml.safe_load(
    Path(__file__).with_name("docker_services.yaml").read_text()
)
IMAGES = ("daprio/daprd", "daprio/placement", "daprio/scheduler")


def _refuse(text: str, code: int = 2) -> NoReturn:
    sys.stderr.write(f"docker (stand-in): {text}\n")
    sys.exit(code)


def _version() -> str:
    return os.environ.get("DAPR_VERSION", "1.16.1")


class Project:
    """The containers of one project, kept in a file."""

    def __init__(self, name: str) -> None:
        self._file = HOME / f"{name}.json"
        self.containers: dict[str, dict[str, Any]] = {}
        if self._file.exists():
            self.containers = json.loads(self._file.read_text())

    def save(self) -> None:
        """Write the file; without containers there is none."""
        if self.containers:
            self._file.write_text(json.dumps(self.containers))
        else:
            self._file.unlink(missing_ok=True)

    def start(self, service: str) -> None:
        """Start the process of a service, which outlives this client."""
        if service not in SERVICES:
            _refuse(f"no such service: {service}")
        variable = SERVICES[service]
        port = os.environ[variable] if variable else "0"
        program = Path(__file__).with_name("container.py")
        with (HOME / f"{service}.log").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, str(program), service, port, _version()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.containers[service] = {"pid": child.pid, "finished": "0001-01-01T00:00:00Z"}

    def kill(self, service: str) -> None:
        """SIGKILL it, and note when."""
        container = self.containers[service]
        os.kill(container["pid"], signal.SIGKILL)
        while _lives(container["pid"]):
            time.sleep(0.005)
        container["finished"] = datetime.now(UTC).isoformat()


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _up(project: Project, words: list[str]) -> None:
    if words != [
        *("--detach", "--wait", "--wait-timeout", "180"),
        *("--no-build", "--pull", "never"),
    ]:
        _refuse(f"up: unknown flags: {words}")
    for service in SERVICES:
        project.start(service)


def _kill(project: Project, words: list[str]) -> None:
    for service in words:
        project.kill(service)


def _start(project: Project, words: list[str]) -> None:
    for service in words:
        project.start(service)


def _ps(project: Project, words: list[str]) -> None:
    if words != ["--all", "--format", "json"]:
        _refuse(f"ps: unknown flags: {words}")
    for service, container in project.containers.items():
        state = "running" if _lives(container["pid"]) else "exited"
        code = 0 if state == "running" else 137
        found = {"ID": service, "Service": service, "State": state, "ExitCode": code}
        sys.stdout.write(json.dumps(found) + "\n")


def _logs(project: Project, words: list[str]) -> None:
    *flags, service = words
    if flags != ["--no-color", "--no-log-prefix"] or service not in project.containers:
        _refuse(f"logs: unknown: {words}")
    sys.stdout.buffer.write((HOME / f"{service}.log").read_bytes())


def _down(project: Project, words: list[str]) -> None:
    if words != ["--volumes", "--remove-orphans", "--timeout", "3"]:
        _refuse(f"down: unknown flags: {words}")
    for service in list(project.containers):
        if _lives(project.containers[service]["pid"]):
            project.kill(service)
        del project.containers[service]


def _config(_: Project, words: list[str]) -> None:
    if words != ["--images"]:
        _refuse(f"config: unknown flags: {words}")
    images = [f"{image}:{_version()}" for image in IMAGES]
    sys.stdout.write("\n".join([*images, "runaway:local", "redis:7-alpine"]) + "\n")


COMPOSE: Mapping[str, Callable[[Project, list[str]], None]] = {
    "up": _up,
    "ps": _ps,
    "logs": _logs,
    "down": _down,
    "config": _config,
    "kill": _kill,
    "start": _start,
}


def _compose(words: list[str]) -> None:
    if words == ["version", "--short"]:
        sys.stdout.write("2.29.7\n")
        return
    options = dict(zip(words[0:6:2], words[1:6:2], strict=True))
    if set(options) != {"--project-name", "--project-directory", "--file"}:
        _refuse(f"unknown compose flags: {words}")
    if len(words) <= len(options) * 2 or words[6] not in COMPOSE:
        _refuse(f"unknown docker command: compose {words[6:]}")
    project = Project(options["--project-name"])
    COMPOSE[words[6]](project, words[7:])
    project.save()


def _finished(container: str) -> None:
    for file in HOME.glob("runaway-*.json"):
        found = json.loads(file.read_text()).get(container)
        if found:
            sys.stdout.write(f"{found['finished']}\n")


def main() -> None:
    """Do one command."""
    words = sys.argv[1:]
    with (HOME / "asked.ndjson").open("a") as asked:
        asked.write(json.dumps(words) + "\n")
    match words:
        case ["compose", *rest]:
            _compose(rest)
        case ["version", "--format", "{{.Server.Version}}"]:
            if (HOME / "no-engine").exists():
                _refuse("Cannot connect to the Docker daemon", 1)
            sys.stdout.write("28.2.2\n")
        case ["image", "inspect", image]:
            if (HOME / "no-images").exists() and image.startswith("daprio/"):
                _refuse(f"No such image: {image}", 1)
        case ["inspect", "--format", "{{.State.FinishedAt}}", container]:
            _finished(container)
        case _:
            _refuse(f"unknown command: {words}")


if __name__ == "__main__":
    main()
