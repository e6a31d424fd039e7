"""What an RFC demands, sentence by sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNTESTED = re.compile(r"(.*) \(untested: (.*)\)")


@dataclass(frozen=True)
class Requirement:
    """A sentence with a MUST or a MUST NOT.

    Attributes:
        paragraph: The number of the section that it stands in.
        text: What the sentence says, shortened by ``[...]``.
        untested: Why no test of ours can show whether it is obeyed; ``None`` where one does.
    """

    paragraph: str
    text: str
    untested: str | None = None


def read_requirements(text: str) -> list[Requirement]:
    """Read a list of sentences, each behind ``- ``, by paragraphs: ``§4.1``. Some say why they have no test."""
    requirements = []
    for section in re.split(r"^§", text, flags=re.MULTILINE)[1:]:
        paragraph, *sentences = re.split(r"^- ", section, flags=re.MULTILINE)
        for sentence in sentences:
            line = " ".join(sentence.split())
            match = _UNTESTED.fullmatch(line)
            text_of, untested = (line, None) if match is None else (match[1], match[2])
            requirements.append(Requirement(paragraph.strip(), text_of, untested))
    return requirements
