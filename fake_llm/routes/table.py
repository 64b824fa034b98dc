"""All routes that load is put on."""

from typing import Any, Final

from fake_llm.routes.base import Route
from fake_llm.routes.chat import Chat
from fake_llm.routes.messages import Messages

ROUTES: Final[tuple[Route[Any], ...]] = (Chat(), Messages())
