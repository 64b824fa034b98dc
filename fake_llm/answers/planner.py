"""Plans the answer to a question: the same for the same seed and the same request."""

from collections.abc import Callable

from fake_llm.answers.answer import Answer
from fake_llm.answers.question import Question
from fake_llm.answers.words import Words
from fake_llm.errors import ContextLengthError


class Answers:
    """Knows an answer to everything.

    Args:
        words: Where the text comes from.
        default_tokens: Length of an answer that nothing limits.
        context_window: The most tokens of prompt and answer of a model; None when not known.
    """

    def __init__(
        self, words: Words, default_tokens: int, context_window: Callable[[str], int | None]
    ) -> None:
        self._words = words
        self._default_tokens = default_tokens
        self._context_window = context_window

    def plan(self, question: Question, input_tokens: int, request_hash: bytes) -> Answer:
        """Return the answer.

        Args:
            question: What was asked.
            input_tokens: Tokens of its prompt.
            request_hash: Hash of its body.

        Raises:
            ContextLengthError: The prompt, with the answer that was asked for, is longer than the
                model's context window.
        """
        limit = question.output_limit
        window = self._context_window(question.model)
        room = None if window is None else window - input_tokens
        if room is not None and window is not None and room < (limit or 1):
            raise ContextLengthError(
                window=window, prompt_tokens=input_tokens, answer_tokens=limit or 1
            )
        length = self._default_tokens
        if limit is not None and limit < length:
            length = limit
        if room is not None and room < length:
            length = room
        return Answer(
            model=question.model,
            words=self._words.answer(request_hash, length),
            finish_reason="length" if length < self._default_tokens else "stop",
            input_tokens=input_tokens,
        )
