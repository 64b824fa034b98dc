"""Laws of what a gateway does about the store's ledger."""

from dataclasses import replace

from budget.recovery.judging import Adopt, Rebuild, Vouch, Wait, judge, judge_stuck
from budget.recovery.picture import LEASE_MS, Peer, Picture, Report, View

NOBODY = View(0, {})
OPEN = Picture("e", 0, is_fenced=False, continues="", continues_at=0, view=NOBODY)
WORDS = {"reason": "r", "actor": "a"}


def view(at: int = 1_000_000, **seen: int) -> View:
    """Build a list of gateways by when they were seen."""
    return View(at, {name: Peer(name, "host", f"/{name}", ms) for name, ms in seen.items()})


def report(last: int, epoch: str = "e", staged: int = -1, seen: View = NOBODY) -> Report:
    """Build a report."""
    return Report(epoch, last, staged, seen)


def picture(seq: int, epoch: str = "e", *, listed: View = NOBODY, **reports: Report) -> Picture:
    """Build what a store whose server was restarted answers."""
    return replace(OPEN, epoch=epoch, seq=seq, is_fenced=True, view=listed, reports=reports)


def test_a_ledger_that_lost_nothing_is_vouched_for() -> None:
    """Once everybody who wrote lately was heard."""
    listed = view(a=1_000_000, b=1_000_000)
    own = report(10)
    waits = judge(picture(10, listed=listed, a=own), own)
    assert isinstance(waits, Wait)
    assert "b (host host, /b)" in waits.reason
    assert judge(picture(10, listed=listed, a=own, b=report(9)), own) == Vouch()


def test_who_was_not_seen_for_long_is_not_waited_for() -> None:
    """What it wrote, the others know."""
    own = report(10)
    listed = view(a=1_000_000, b=1_000_000 - LEASE_MS - 1)
    assert judge(picture(10, listed=listed, a=own), own) == Vouch()


def test_the_latest_list_of_gateways_counts() -> None:
    """A rolled back store lists who has left since, and not who came."""
    own = report(10, seen=view(2_000_000, a=2_000_000, c=2_000_000))
    waits = judge(picture(10, listed=view(a=1_000_000, b=1_000_000), a=own), own)
    assert isinstance(waits, Wait)
    assert "c (host" in waits.reason
    assert "b (host" not in waits.reason


def test_a_ledger_that_is_behind_any_journal_is_rebuilt() -> None:
    """Up to the greatest entry that anybody knows of; from the first one when it is empty."""
    own = report(10)
    assert judge(picture(7, a=own, b=report(12)), own) == Rebuild("e", 12)
    assert judge(picture(0, "", a=own), own) == Rebuild("e", 10)
    fresh = report(0, "")
    assert judge(picture(0, "", a=fresh, b=own), fresh) == Rebuild("e", 10)


def test_a_gap_is_gone_over_only_by_decision_and_after_every_journal() -> None:
    """Who is still reading may have it."""
    own = report(10, staged=7)
    late = picture(7, a=own, b=report(10))
    confirmed = replace(late, confirmed=WORDS)
    assert judge(late, own) == judge(confirmed, own) == Rebuild("e", 10)
    assert "b are being read" in judge_stuck(late, 9).reason
    all_read = picture(7, a=own, b=report(10, staged=7))
    assert "entries 8..8 are in no journal" in judge_stuck(all_read, 9).reason
    assert "entries 8..10 are in no journal" in judge_stuck(all_read, None).reason
    assert judge(replace(all_read, confirmed=WORDS), own) == Rebuild("e", 10, skips=True)


def test_what_is_given_up_begins_another_ledger() -> None:
    """So that a journal that comes back later is not taken for a part of it."""
    own = report(10)
    listed = view(a=1_000_000, b=1_000_000)
    given_up = judge(replace(picture(10, listed=listed, a=own), confirmed=WORDS), own)
    assert isinstance(given_up, Vouch)
    assert given_up.begins
    assert "b (host host, /b)" in given_up.given_up
    whole = judge(replace(picture(10, a=own), confirmed=WORDS), own)
    assert whole == Vouch()


def test_a_store_that_is_open_is_joined_by_who_knows_no_more_than_it() -> None:
    """Others are told what to do."""
    opened = replace(OPEN, epoch="e+1", seq=20, continues="e", continues_at=12)
    assert judge(opened, report(20, "e+1")) == judge(opened, report(0, "")) == Adopt()
    assert judge(opened, report(12, "e")) == Adopt()
    for stranger in (report(21, "e+1"), report(13, "e"), report(1, "x")):
        step = judge(opened, stranger)
        assert isinstance(step, Wait)
        assert "move the journal's folder away" in step.reason


def test_another_ledger_in_the_store_is_left_alone() -> None:
    """Until somebody decides."""
    own = report(10)
    other = picture(3, "x", a=own)
    step = judge(other, own)
    assert isinstance(step, Wait)
    assert "ledger x" in step.reason
    assert isinstance(judge(replace(other, confirmed=WORDS), own), Vouch)


def test_journals_of_different_ledgers_decide_nothing() -> None:
    """No confirmation mends that; one that was continued is the same."""
    own = report(10)
    mixed = replace(picture(10, a=own, b=report(3, "x")), confirmed=WORDS)
    assert isinstance(judge(mixed, own), Wait)
    continued = replace(
        picture(20, "e+1", a=own, b=report(20, "e+1")), continues="e", continues_at=10
    )
    assert judge(continued, own) == Vouch()


def test_a_report_is_read_as_it_was_written() -> None:
    """With what it saw."""
    told = report(3, seen=view(a=1))
    assert Report.from_json(told.to_json()) == told
