import io

from rich.console import Console

from lab.progress import Progress


def test_plain_output_says_each_thing_once() -> None:
    """Off a terminal a line is printed when what is done changes, not when a figure does."""
    out = io.StringIO()
    console = Console(file=out, highlight=False, no_color=True, width=200)
    with Progress(console, ("off", "cap")) as progress:
        progress.say("off", "waiting for 8 workflows (1 runs)")
        progress.say("off", "waiting for 8 workflows (7 run)")
        progress.say("cap", "observing, 25 s left")
        progress.say("cap", "observing, 24 s left")
        progress.stop()
        progress.say("cap", "ending")
    lines = [line.split("] ", 1)[1] for line in out.getvalue().splitlines()]
    assert lines == ["off: waiting for 8 workflows (1 runs)", "cap: observing, 25 s left"]


def test_a_terminal_shows_one_live_line_for_each_arm() -> None:
    """On a terminal every arm's latest words are shown together."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with Progress(console, ("off", "cap")) as progress:
        progress.say("off", "starting")
        progress.say("cap", "observing")
    shown = out.getvalue()
    assert "starting" in shown
    assert "observing" in shown
