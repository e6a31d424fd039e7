"""What an RFC demands, sentence by sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNTESTED = re.compile(r"(.*) \(untested: (.*)\)")
_OURS = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class Requirement:
    """A sentence with a MUST or a MUST NOT.

    Attributes:
        paragraph: The number of the section that it stands in.
        text: What the sentence says, in 20 words at most, by which it is found: word for word, but for ``[...]`` where
            something is left out, and ``[what we]`` say instead.
        untested: Why no test of ours can show whether it is obeyed; ``None`` where one does.
    """

    paragraph: str
    text: str
    untested: str | None = None

    @property
    def quotes(self) -> list[str]:
        """The parts of the text that stand in the RFC, word for word."""
        return [part.strip(" ,") for part in _OURS.split(self.text) if part.strip(" ,")]


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
