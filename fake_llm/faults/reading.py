"""Reads faults: those of `PUT /faults`, and the header that asks for some for one request.

The header is `kind name=value ...`, faults separated by `;`, values quoted as in a shell:
`fail status=429 message="slow down"`.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from fake_llm.errors import BadFaultError
from fake_llm.faults.base import TARGET_FIELDS, Fault

MAX_FAULTS: Final = 100
_KIND: Final = "kind"


def read_faults(
    documents: Sequence[Mapping[str, Any]], kinds: Mapping[str, type[Fault]]
) -> list[Fault]:
    """Read faults, each an object of its kind and its attributes.

    Raises:
        BadFaultError: Names every bad field of every one, as `<position>.<field>`.
    """
    if len(documents) > MAX_FAULTS:
        raise BadFaultError([f"at most {MAX_FAULTS} faults, not {len(documents)}"])
    read: list[Fault] = []
    problems: list[str] = []
    for position, document in enumerate(documents):
        try:
            read.append(_read(document, kinds))
        except BadFaultError as error:
            problems += [f"{position}.{problem}" for problem in error.problems]
    if problems:
        raise BadFaultError(problems)
    return read


def read_header(value: str, kinds: Mapping[str, type[Fault]]) -> list[Fault]:
    """Read the header.

    Raises:
        BadFaultError: As `read_faults`.
    """
    lexer = shlex.shlex(value, posix=True, punctuation_chars=";")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise BadFaultError([f"{error}: quote values as in a shell"]) from None
    return read_faults([_document(each) for each in _split(words)], kinds)


def _read(document: Mapping[str, Any], kinds: Mapping[str, type[Fault]]) -> Fault:
    kind = document.get(_KIND)
    found = kinds.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise BadFaultError([f"{_KIND}: {kind!r} is none of {', '.join(kinds)}"])
    attributes = {name: value for name, value in document.items() if name != _KIND}
    try:
        return found.model_validate(attributes)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise BadFaultError(
            [f"{_place(problem['loc'])}: {problem['msg']}" for problem in problems]
        ) from None


def _document(words: Sequence[str]) -> dict[str, str]:
    kind, *attributes = words
    pairs = [attribute.partition("=") for attribute in attributes]
    problems = [f"{name}: write it as name=value" for name, equals, _ in pairs if not equals]
    problems += [
        f"{name}: not in a header, which speaks of its own request; see PUT /faults"
        for name, _, _ in pairs
        if name in TARGET_FIELDS
    ]
    if problems:
        raise BadFaultError(problems)
    return {_KIND: kind} | {name: value for name, _, value in pairs}


def _split(words: Iterable[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for word in words:
        if set(word) == {";"}:
            found.append([])
        else:
            found[-1].append(word)
    return [each for each in found if each]


def _place(loc: Sequence[str | int]) -> str:
    return ".".join(map(str, loc)) or "fault"
