"""The most tokens that one image of a prompt may take, where its maker published the rule.

OpenAI, "Images and vision" (developers.openai.com/api/docs/guides/images-vision):

* Models by tiles scale an image into 2048 x 2048, then its shorter side to 768, and charge a base
  and so much for each 512 x 512 tile: at most 768 x 2048, which is 2 x 4 tiles. With low detail
  they charge the base alone.
* Models by patches cover it with patches of 32 x 32, at most 1,536 of them, times a factor.

Anthropic, "Vision" (platform.claude.com/docs/en/build-with-claude/vision): an image above 1,568
pixels a side or about 1,600 tokens is scaled down first; Opus 4.7 and 4.8 scale down above 2,576
pixels a side or 3.75 megapixels, which are 4,784 patches of 28 x 28.

Whatever is not listed here has no bound: some models read an image's data as text.
"""

import re
from functools import lru_cache
from typing import Final

_MOST_TILES: Final = 8
_MOST_PATCHES: Final = 1536

_DATE: Final = r"(?:-\d{4}-\d{2}-\d{2})?"
_CLAUDE_DATE: Final = r"(?:-\d{8}|-latest|-0)?"


def _by_tiles(base: int, tile: int) -> int:
    return base + _MOST_TILES * tile


def _by_patches(factor_percent: int) -> int:
    return -(-_MOST_PATCHES * factor_percent // 100)


_BOUNDS: Final = tuple(
    (re.compile(pattern), tokens)
    for pattern, tokens in (
        (rf"(?:gpt-4o|gpt-4\.1|gpt-4\.5-preview|gpt-4-turbo){_DATE}", _by_tiles(85, 170)),
        (r"chatgpt-4o-latest", _by_tiles(85, 170)),
        (rf"gpt-4o-mini{_DATE}", _by_tiles(2833, 5667)),
        (rf"(?:o1|o1-pro|o3){_DATE}", _by_tiles(75, 150)),
        (rf"gpt-5{_DATE}|gpt-5-chat-latest", _by_tiles(70, 140)),
        (rf"gpt-4\.1-mini{_DATE}|gpt-5-mini{_DATE}", _by_patches(162)),
        (rf"gpt-4\.1-nano{_DATE}|gpt-5-nano{_DATE}", _by_patches(246)),
        (rf"o4-mini{_DATE}", _by_patches(172)),
        (rf"claude-3(?:-5|-7)?-(?:haiku|sonnet|opus){_CLAUDE_DATE}", 1600),
        (rf"claude-(?:opus|sonnet)-4(?:-[0156])?{_CLAUDE_DATE}", 1600),
        (rf"claude-haiku-4-5{_CLAUDE_DATE}", 1600),
        (rf"claude-opus-4-[78]{_CLAUDE_DATE}", 4784),
    )
)


@lru_cache(maxsize=256)
def most_image_tokens(model: str) -> int | None:
    """Return the most input tokens that an image may take, None where nobody published a bound."""
    name = model.lower()
    return next((tokens for pattern, tokens in _BOUNDS if pattern.fullmatch(name)), None)
