import pytest

from metering.chat import parse_chat_request
from metering.errors import UncountableContentError
from metering.images import most_image_tokens
from metering.tokens import prompt_upper_bound
from metering.wire import encode_json


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("gpt-4o", 85 + 8 * 170),
        ("gpt-4o-2024-08-06", 1445),
        ("gpt-4o-mini", 2833 + 8 * 5667),
        ("o3-2025-04-16", 75 + 8 * 150),
        ("GPT-5", 70 + 8 * 140),
        ("gpt-4.1-mini", 2489),
        ("gpt-4.1-nano", 3779),
        ("o4-mini", 2642),
        ("claude-sonnet-4-5-20250929", 1600),
        ("claude-3-5-haiku-latest", 1600),
        ("claude-opus-4-7", 4784),
    ],
)
def test_a_published_rule_bounds_an_image(model: str, tokens: int) -> None:
    """Base and eight tiles, 1,536 patches times a factor, or Anthropic's scaling."""
    assert most_image_tokens(model) == tokens


@pytest.mark.parametrize(
    "model",
    [
        *("gpt-4", "gpt-4o-audio-preview", "gpt-5.4-mini", "gpt-5-image", "o3-mini", "gpt-6-sol"),
        *("claude-opus-5", "claude-sonnet-5-5", "gemini-3-pro", "my-gpt-4o"),
    ],
)
def test_without_a_published_rule_there_is_no_bound(model: str) -> None:
    """A name that is only similar tells nothing."""
    assert most_image_tokens(model) is None


def test_an_images_bytes_are_no_tokens_and_its_bound_is() -> None:
    """16 + 8 for framing, 4 for `user`, 2 for `hi`, and 8 + 1,445 for each of two images."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9999}}
    content = [{"type": "text", "text": "hi"}, image, image]
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": content}]}
    request = parse_chat_request(encode_json(body))
    assert prompt_upper_bound(request.messages, image_tokens=1445) == 30 + 2 * 1453
    with pytest.raises(UncountableContentError, match="image_url"):
        prompt_upper_bound(request.messages)


def test_text_beside_an_image_counts_too() -> None:
    """Whoever reads the part may read all of it: 5 for `a cat`, 2 for `no`."""
    url = {"url": "https://x/y.png"}
    part = {"type": "image_url", "image_url": url, "text": "a cat", "refusal": "no"}
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": [part]}]}
    request = parse_chat_request(encode_json(body))
    assert prompt_upper_bound(request.messages, image_tokens=1445) == 28 + 7 + 1453


def test_only_a_known_detail_is_bounded() -> None:
    """The rules are those of low and high detail."""
    for detail, features in (("high", []), ("original", ["messages.0.content.0.image_url.detail"])):
        image = {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": detail}}
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": [image]}]}
        assert parse_chat_request(encode_json(body)).unpriced_features() == features
