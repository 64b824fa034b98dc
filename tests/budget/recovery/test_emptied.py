"""Laws of gateways with journals whose Redis is empty, or is another one."""

from pathlib import Path

import httpx
import pytest

from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, wait_until
from tests.budget.recovery.ledgers import (
    Past,
    confirm,
    reason,
    recovery_trip,
    start,
    start_closed,
    wait_for_journals,
)


def test_an_emptied_redis_is_rebuilt_from_its_first_entry(
    start_gateway: StartGateway, past: Past, tmp_path: Path
) -> None:
    """Money, kills and rules come back, while the server runs; answers for replay do not."""
    with past.running():
        gateway = start(start_gateway, past, tmp_path / "j", BUDGET_CAP_USD="1")
        assert [gateway.chat().status_code for _ in range(5)] == [200] * 5
        kill = {"scope": "instance", "id": "bad", "reason": "runs away", "actor": "ops"}
        assert gateway.http.post(f"{gateway.url}/kill", json=kill).status_code == 200
        past.client.fcall(
            "budget_v3_edit_rule",
            3,
            *("{budget}:meta", "{budget}:trips", "{budget}:limits"),
            *("limit|tenant|day|each|", "123000000", "tenant", "", "limit of tenant", "ops"),
        )
        wait_until(lambda: b"123000000" in journal_bytes(tmp_path / "j"), "the rule is kept")
        wait_for_journals(past, gateway)
        before = past.money()
        rules = past.client.hgetall("{budget}:limits")
        past.client.flushall()
        wait_until(lambda: past.client.hget("{budget}:meta", "seq") is not None, "it begins")
        wait_until(gateway.is_ready, "it opens")
        assert past.money() == before
        assert past.client.hgetall("{budget}:limits") == rules
        assert gateway.chat(instance="bad").json()["error"]["code"] == "budget_killed"
        assert gateway.chat().status_code == 200
        assert "entries 1..10" in recovery_trip(gateway)["detail"]


def journal_bytes(folder: Path) -> bytes:
    """Return all that is in a journal."""
    return b"".join(path.read_bytes() for path in folder.glob("*.journal"))


def test_another_ledger_is_not_taken_for_the_journal_s(
    start_gateway: StartGateway, past: Past, tmp_path: Path
) -> None:
    """The gateway says what to do; a confirmation goes on with what Redis holds."""
    with past.running():
        gateway = start(start_gateway, past, tmp_path / "j", BUDGET_CAP_USD="1")
        assert gateway.chat().status_code == 200
        wait_for_journals(past, gateway)
        gateway.service.kill()
        past.client.flushall()
        other = start(start_gateway, past, tmp_path / "other", BUDGET_CAP_USD="1")
        assert other.chat().status_code == 200
        with start_closed(gateway, tmp_path):
            wait_until(lambda: "BUDGET_REDIS_URL" in reason(gateway), "it waits")
            assert gateway.chat().status_code == 503
        assert other.chat().status_code == 200


def test_a_redis_with_another_past_is_accepted_by_decision_alone(
    start_gateway: StartGateway, past: Past, tmp_path: Path
) -> None:
    """Restarted with another ledger in it, it is not touched until somebody confirms."""
    with past.running() as server:
        gateway = start(start_gateway, past, tmp_path / "j", BUDGET_CAP_USD="1")
        assert gateway.chat().status_code == 200
        wait_for_journals(past, gateway)
        past.client.hset("{budget}:meta", "epoch", "another")
        server.kill()
    with past.running():
        wait_until(lambda: "holds ledger another" in reason(gateway), "it waits")
        assert past.client.hget("{budget}:meta", "epoch") == "another"
        assert confirm(gateway).status_code == 202
        wait_until(gateway.is_ready, "it opens")
        assert gateway.chat().status_code == 200
        assert gateway.total()["spent"]["nano_usd"] == 2 * CALL_NANO_USD


def test_a_gateway_that_ended_in_order_is_not_waited_for(
    start_gateway: StartGateway, past: Past, tmp_path: Path
) -> None:
    """What it wrote is in the others' journals."""
    with past.running() as server:
        gateways = [
            start(start_gateway, past, tmp_path / f"j{n}", BUDGET_CAP_USD="1") for n in range(2)
        ]
        past.remember()
        assert [g.chat().status_code for g in gateways] == [200, 200]
        wait_until(lambda: len(gateways[0].get("/recovery")["gateways"]) == 2, "they are known")
        assert gateways[1].service.stop()
        wait_until(lambda: len(gateways[0].get("/recovery")["gateways"]) == 1, "one is left")
        server.kill()
        wait_until(lambda: not gateways[0].is_ready(), "it is closed")
    past.roll_back()
    with past.running():
        wait_until(gateways[0].is_ready, "it opens")
        assert gateways[0].total()["spent"]["nano_usd"] == 2 * CALL_NANO_USD


def test_a_folder_belongs_to_one_gateway(
    start_gateway: StartGateway, past: Past, tmp_path: Path
) -> None:
    """The second one does not start, and names the setting."""
    with past.running():
        start(start_gateway, past, tmp_path / "j")
        with pytest.raises(RuntimeError, match=r"BUDGET_JOURNAL_DIR.*another gateway uses it"):
            start(start_gateway, past, tmp_path / "j")


def test_without_journals_there_is_nothing_to_confirm(start_gateway: StartGateway) -> None:
    """The state says so."""
    gateway = start_gateway()
    assert gateway.get("/recovery")["journal"] is None
    assert confirm(gateway).status_code == httpx.codes.CONFLICT
