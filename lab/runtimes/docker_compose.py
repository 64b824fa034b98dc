"""The `docker compose` client: asks it for one thing at a time, and says what it answered."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lab.errors import DockerError
from lab.paths import COMPOSE_FILE, ROOT

_TIMEOUT_S = 60.0
_STOP_GRACE_S = 3


@dataclass(frozen=True, slots=True)
class Docker:
    """The client program, an engine that it reaches, and its compose plugin.

    Attributes:
        program: absolute path of the client.
        engine: version of the engine.
        compose: version of the plugin.
    """

    program: str
    engine: str
    compose: str


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What became of the container of one service."""

    id: str
    state: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class ComposeProject:
    """One project of docker-compose.yml.

    Attributes:
        name: what its containers, networks and volumes are named after.
        env: what the file's variables are read from.
    """

    docker: Docker
    name: str
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def command(self, *words: str) -> list[str]:
        """Return a command line for this project."""
        return [
            *(self.docker.program, "compose", "--project-name", self.name),
            *("--project-directory", str(ROOT), "--file", str(COMPOSE_FILE)),
            *words,
        ]

    def down_command(self) -> list[str]:
        """Return the command line that leaves nothing of the project."""
        grace = ("--timeout", str(_STOP_GRACE_S))
        return self.command("down", "--volumes", "--remove-orphans", *grace)

    def ask(self, *words: str, timeout_s: float = _TIMEOUT_S) -> str:
        """Run a command of this project and return what it printed.

        Raises:
            DockerError: it failed, or took too long.
        """
        return ask(self.command(*words), self.env, timeout_s)

    def containers(self) -> dict[str, ContainerState]:
        """Return the container of each service."""
        found = _objects(self.ask("ps", "--all", "--format", "json"))
        return {
            str(each["Service"]): ContainerState(
                str(each["ID"]), str(each["State"]), int(each["ExitCode"])
            )
            for each in found
        }

    def ended_unix_ms(self, service: str) -> int | None:
        """Return when the container of a service last ended; None when nothing says so."""
        container = self.containers().get(service)
        if container is None:
            return None
        inspect = [self.docker.program, "inspect", "--format", "{{.State.FinishedAt}}"]
        text = ask([*inspect, container.id], self.env).strip()
        try:
            return int(datetime.fromisoformat(text).timestamp() * 1000)
        except ValueError:
            return None

    def images(self) -> list[str]:
        """Return the images that the file asks for, each once."""
        return sorted(set(self.ask("config", "--images").split()))

    def lacks(self, image: str) -> bool:
        """Tell whether the engine has no such image."""
        try:
            ask([self.docker.program, "image", "inspect", image], self.env)
        except DockerError:
            return True
        return False

    def down(self) -> None:
        """End all of it: containers, networks, volumes."""
        ask(self.down_command(), self.env)


def _objects(text: str) -> list[dict[str, Any]]:
    """Read a JSON array, or one object a line, as newer versions of compose print."""
    if text.lstrip().startswith("["):
        return list(json.loads(text))
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def ask(
    command: Sequence[str], env: Mapping[str, str] = os.environ, timeout_s: float = _TIMEOUT_S
) -> str:
    """Run one command of the client and return what it printed.

    Raises:
        DockerError: it failed, or took too long.
    """
    words = " ".join(command[1:])
    try:
        done = subprocess.run(  # noqa: S603  # the client was found by its fixed name
            list(command),
            env=dict(env),
            capture_output=True,
            # A container may have logged anything.
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
            # Ctrl-C is for the lab, which then asks for the end itself.
            process_group=0,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DockerError(f"docker {words}: {error}") from error
    if done.returncode != 0:
        raise DockerError(f"docker {words}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def find_docker() -> Docker:
    """Return a client that can do what the lab needs.

    Raises:
        DockerError: naming what is missing, and how to get it.
    """
    program = shutil.which("docker")
    if program is None:
        raise DockerError(
            "no docker client on PATH: install Docker with its compose plugin (docs.docker.com)"
        )
    compose = compose_version(program)
    return Docker(program, engine_version(program), compose)


def compose_version(program: str) -> str:
    """Return the version of the compose plugin.

    Raises:
        DockerError: there is none.
    """
    try:
        # Version 1 was a program of its own: what answers here is newer.
        return ask([program, "compose", "version", "--short"]).strip().removeprefix("v")
    except DockerError:
        raise DockerError(
            "docker has no compose plugin (`docker compose version` fails): install "
            "docker-compose-plugin, version 2 or newer"
        ) from None


def engine_version(program: str) -> str:
    """Return the version of the engine.

    Raises:
        DockerError: the client reaches none.
    """
    try:
        return ask([program, "version", "--format", "{{.Server.Version}}"]).strip()
    except DockerError as error:
        raise DockerError(
            "docker reaches no engine: start it (`sudo systemctl start docker`, or Docker "
            f"Desktop), or set DOCKER_HOST\n{error}"
        ) from None
