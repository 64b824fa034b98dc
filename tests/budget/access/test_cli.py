"""Laws of the keys' command line."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.budget.access.keyed import ADMIN_KEY, Keys, call
from tests.budget.conftest import StartGateway
from tests.support.ports import free_port
from tests.support.services import ROOT


def keys(redis_url: str, *arguments: str) -> tuple[int, str, str]:
    """Run a command line; return its exit code and what it printed."""
    ended = subprocess.run(
        [sys.executable, "-m", "budget.keys", *arguments],
        cwd=ROOT,
        env={**os.environ, "BUDGET_REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stdout.strip(), ended.stderr.strip()


def test_a_key_made_and_revoked_by_hand_is_so_at_the_gateway(
    start_gateway: StartGateway, redis_url: str
) -> None:
    """With the next call; the key is all that is printed, for a script to take."""
    gateway = start_gateway(BUDGET_AUTH="keys")
    assert call(gateway, None).status_code == 401
    code, key, _ = keys(redis_url, "create", "--tenant", "acme", "--model", "gpt-4")
    assert code == 0
    assert call(gateway, key).status_code == 200
    assert call(gateway, key, model="gpt-4o").status_code == 403
    code, admin, _ = keys(redis_url, "create", "--admin", "--name", "ops", "--expires", "90d")
    assert Keys(gateway, admin).ask("GET", "/budgets").status_code == 200
    code, listed, _ = keys(redis_url, "list")
    assert [line.split()[1:3] for line in listed.splitlines()] == [
        ["KIND", "TENANT"],
        ["data", "acme"],
        ["admin", "-"],
    ]
    assert "models=gpt-4" in listed
    assert key.rpartition("_")[2] not in listed
    # A whole key, as somebody who found it would paste it.
    assert keys(redis_url, "revoke", key)[:2] == (0, f"{key.rpartition('_')[0]} is revoked")
    assert call(gateway, key).status_code == 401
    assert keys(redis_url, "revoke", key)[0] == 1
    assert "revoked" in keys(redis_url, "list")[1]


def test_json_has_what_the_control_api_has(start_gateway: StartGateway, redis_url: str) -> None:
    """Field by field."""
    _, made, _ = keys(redis_url, "create", "--tenant", "acme", "--expires", "2999-01-31", "--json")
    gateway = start_gateway(BUDGET_ADMIN_KEY=ADMIN_KEY)
    document: dict[str, Any] = json.loads(keys(redis_url, "list", "--json")[1])
    assert document == Keys(gateway).ask("GET", "/keys").json()
    assert document["keys"] == [{k: v for k, v in json.loads(made).items() if k != "key"}]
    assert document["keys"][0]["expires_unix_ms"] == 32_474_736_000_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create"], "tenant"),
        (["create", "--tenant", "a b"], "--tenant"),
        (["create", "--tenant", "unknown"], "unknown"),
        (["create", "--tenant", "acme", "--admin"], "admin key"),
        (["create", "--tenant", "acme", "--expires", "soon"], "90d"),
        (["create", "--tenant", "acme", "--expires", "2020-01-01"], "future"),
        (["create", "--tenant", "acme", "--colour", "red"], "--colour"),
        (["destroy"], "destroy"),
        (["revoke"], "key-id"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(arguments: list[str], said: str) -> None:
    """Exit code 2, before the store is asked."""
    code, out, error = keys("redis://127.0.0.1:1/0", *arguments)
    assert (code, out) == (2, "")
    assert len(error.splitlines()) == 1
    assert said.lower() in error.lower()


def test_a_store_that_is_away_is_named() -> None:
    """Exit code 2."""
    code, _, error = keys(f"redis://127.0.0.1:{free_port()}/0", "list")
    assert code == 2
    assert "Redis" in error
    assert len(error.splitlines()) == 1
