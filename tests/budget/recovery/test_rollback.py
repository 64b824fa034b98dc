"""Laws of gateways with journals whose Redis loses what it acknowledged."""

import asyncio
import shutil
import signal
from pathlib import Path

import httpx

from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, until, usd, wait_until
from tests.budget.recovery.ledgers import (
    Past,
    confirm,
    reason,
    recovery_trip,
    start,
    start_closed,
    sum_of_providers,
    wait_for_journals,
)


async def test_a_rolled_back_redis_is_rebuilt_from_the_journals(
    start_gateway: StartGateway, past: Past, tmp_path: Path
) -> None:
    """Counters, holds and ledger are what they were; the next call is judged by them."""
    cap = usd(8 * CALL_NANO_USD)
    with past.running() as server:
        gateways = [
            start(start_gateway, past, tmp_path / f"j{n}", BUDGET_CAP_USD=cap) for n in range(2)
        ]
        assert [g.chat().status_code for g in gateways] == [200, 200]
        past.remember()
        assert [g.chat().status_code for g in gateways] == [200, 200]
        assert gateways[0].chat(user="fail:500").status_code == 500
        async with httpx.AsyncClient(timeout=30) as client:
            held = asyncio.create_task(client.post(**gateways[1].request(user="wait:4")))
            await until(gateways[1].reserved, "a call is under way")
            wait_for_journals(past, *gateways)
            before = past.money()
            for gateway in gateways:
                gateway.service.process.send_signal(signal.SIGSTOP)
            server.kill()
            past.roll_back()
            with past.running():
                gateways[0].service.process.send_signal(signal.SIGCONT)
                await until(lambda: "were not heard" in reason(gateways[0]), "it waits")
                answer = gateways[0].chat()
                assert answer.status_code == 503
                assert answer.json()["error"]["code"] == "budget_store_unavailable"
                assert reason(gateways[0]).startswith("recovering: ")
                assert gateways[0].get("/recovery")["state"] == "recovering"
                gateways[1].service.process.send_signal(signal.SIGCONT)
                await until(lambda: all(g.is_ready() for g in gateways), "they open")
                assert past.money() == before
                assert (await held).status_code == 200
                await until(lambda: gateways[1].reserved() == 0, "the held call is settled")
                total = gateways[0].total()["spent"]["nano_usd"]
                assert total == 5 * CALL_NANO_USD == sum_of_providers(gateways)
                assert [gateways[0].chat().status_code for _ in range(4)] == [200, 200, 200, 402]
                trip = recovery_trip(gateways[0])
                assert trip["actor"] == "gateway"
                assert "were rebuilt from journals" in trip["detail"]


def test_a_missing_journal_keeps_the_gateways_closed_until_somebody_decides(
    start_gateway: StartGateway, past: Past, tmp_path: Path
) -> None:
    """The reason names the gateway and where its journal was; a confirmation opens."""
    with past.running() as server:
        gateways = [
            start(start_gateway, past, tmp_path / f"j{n}", BUDGET_CAP_USD="1") for n in range(2)
        ]
        assert gateways[0].chat().status_code == 200
        wait_for_journals(past, *gateways)
        wait_until(lambda: len(gateways[0].get("/recovery")["gateways"]) == 2, "they are known")
        past.remember()
        assert [g.chat().status_code for g in gateways] == [200, 200]
        wait_for_journals(past, *gateways)
        assert confirm(gateways[0]).status_code == 409
        gone = gateways[1].get("/recovery")["journal"]
        gateways[1].service.kill()
        shutil.rmtree(tmp_path / "j1")
        server.kill()
    past.roll_back()
    with past.running():
        wait_until(lambda: "were not heard" in reason(gateways[0]), "it waits")
        assert gone["gateway"] in reason(gateways[0])
        assert gone["path"] in reason(gateways[0])
        assert gateways[0].chat().status_code == 503
        assert confirm(gateways[0]).status_code == 202
        wait_until(gateways[0].is_ready, "it opens")
        assert gateways[0].total()["spent"]["nano_usd"] == 3 * CALL_NANO_USD
        trip = recovery_trip(gateways[0])
        assert (trip["actor"], trip["reason"]) == ("ops", "its disk is gone")
        assert gone["gateway"] in trip["detail"]
        assert gateways[0].chat().status_code == 200
        again = start(start_gateway, past, tmp_path / "j1", BUDGET_CAP_USD="1")
        assert again.chat().status_code == 200


def test_entries_in_no_journal_are_named_and_given_up_only_by_decision(
    start_gateway: StartGateway, past: Past, tmp_path: Path
) -> None:
    """What follows the gap is counted all the same."""
    with past.running() as server:
        gateway = start(start_gateway, past, tmp_path / "j", BUDGET_CAP_USD="1")
        assert gateway.chat().status_code == 200
        past.remember()
        assert [gateway.chat().status_code for _ in range(3)] == [200] * 3
        wait_for_journals(past, gateway)
        gateway.service.kill()
        server.kill()
    (journal,) = (tmp_path / "j").glob("*.journal")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(x.replace(b'"seq":5,', b'"seq":6,') for x in lines))
    past.roll_back()
    with past.running():
        restarted = start_closed(gateway, tmp_path)
        with restarted:
            wait_until(lambda: "entries 5..5 are in no journal" in reason(gateway), "it waits")
            damage = gateway.get("/recovery")["journal"]["damages"]
            assert [each["file"] for each in damage] == [journal.name]
            assert confirm(gateway).status_code == 202
            wait_until(gateway.is_ready, "it opens")
            spent = gateway.total()["spent"]["nano_usd"]
            assert spent == 4 * CALL_NANO_USD == gateway.provider.ledger(gateway.app)["nano_usd"]
            assert "5..5" in recovery_trip(gateway)["detail"]
            assert gateway.chat().status_code == 200
