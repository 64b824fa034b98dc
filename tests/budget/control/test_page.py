"""Laws of the operator's page."""

import re
from base64 import b64encode
from hashlib import sha256

from budget.control.page import build_page
from tests.budget.gateways import RunningGateway


def test_the_page_runs_nothing_but_its_own_script(rich_gateway: RunningGateway) -> None:
    """It is one document; its policy allows just what is in it, by hash, and no other origin."""
    answer = rich_gateway.http.get(rich_gateway.url)
    assert answer.headers["content-type"].startswith("text/html")
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = b64encode(sha256(content.encode()).digest()).decode()
        assert policy[directive] == f"'sha256-{digest}'"
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:|//)""", answer.text)
    assert not re.search(r"\son\w+\s*=|\sstyle\s*=", answer.text.partition("<body>")[2])


def test_the_page_holds_no_data_and_makes_no_markup_of_any(rich_gateway: RunningGateway) -> None:
    """What callers named is asked for by the script, and becomes text."""
    gateway = rich_gateway.for_another_test()
    gateway.chat(instance="%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    text = gateway.http.get(gateway.url).text
    assert "onerror" not in text
    assert text == build_page()[0]
    script = text.partition("<script>")[2]
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert script.count(sink) == (1 if sink == "innerHTML" else 0), sink
    assert "There is no\n// innerHTML" in script or "no\n// innerHTML" in script


def test_every_field_of_the_page_has_a_label() -> None:
    """For who can't see it."""
    document, _ = build_page()
    fields = re.findall(r"<(?:input|select) id=\"([^\"]+)\"", document)
    assert len(fields) == 9
    for name in fields:
        assert f'<label for="{name}">' in document
