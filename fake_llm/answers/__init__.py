"""What the answer is: pure, without clock, I/O or provider. Routes encode it."""

from fake_llm.answers.answer import Answer, FinishReason
from fake_llm.answers.planner import Answers
from fake_llm.answers.question import Question

__all__ = ["Answer", "Answers", "FinishReason", "Question"]
