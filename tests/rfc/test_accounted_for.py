"""Every MUST has a test that is named by its paragraph and quotes it, or a reason why there is none."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from .compare import KEYWORD, LISTS
from .requirement import Requirement

#: The most words of a quote.
MAX_WORDS = 20

#: How many sentences with a MUST each paragraph has: counted in the RFCs, by `compare`.
COUNTS = {
    "rfc6455": """
        3:2 4.1:35 4.2.1:1 4.2.2:10 4.3:1 4.4:1 5.1:4 5.2:7 5.3:4 5.4:10 5.5:1 5.5.1:6 5.5.2:1 5.6:1 5.8:1 6.1:8 6.2:5
        7.1.2:1 7.1.7:3 7.2.1:2 7.2.2:1 7.4.1:3 8.1:1 9:2 9.1:5 10.3:1 10.4:1 10.6:1 10.7:1
        11.3.1:1 11.3.2:1 11.3.3:1 11.3.4:1 11.3.5:1
    """,
    "rfc7692": "5:11 6.1:4 6.2:2 7:8 7.1.1.2:1 7.1.2.1:2 7.1.2.2:3 7.2.1:7 7.2.2:6",
    "rfc9112": """
        2.2:5 3:1 3.2:3 3.2.2:2 4:1 5.1:1 5.2:2 6.1:8 6.2:1 6.3:4 7.1:2 7.1.1:1 7.1.2:2 9.3:2 9.3.2:1 9.6:4 9.7:1 9.8:1
        10.1:1
    """,
}

RFCS = {rfc: requirements for rfc, (_, requirements) in LISTS.items()}
EACH_RFC = pytest.mark.parametrize("rfc", RFCS)


def found_tests(rfc: str) -> list[tuple[str, str, str]]:
    """Return the paragraph, the name and the docstring of each test, the docstring in one line."""
    found = []
    for path in sorted(Path(__file__).parent.glob(f"test_{rfc}*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                numbers = re.match(r"test_((?:\d+_)+)[a-z]", node.name)
                paragraph = numbers[1].strip("_").replace("_", ".") if numbers else ""
                found.append((paragraph, node.name, " ".join((ast.get_docstring(node) or "").split())))
    return found


def by_paragraph(rfc: str) -> dict[str, list[Requirement]]:
    paragraphs = defaultdict(list)
    for requirement in RFCS[rfc]:
        paragraphs[requirement.paragraph].append(requirement)
    return paragraphs


@EACH_RFC
def test_every_paragraph_is_in_the_list_with_all_that_it_demands_in_order(rfc: str) -> None:
    counts = [f"{paragraph}:{len(requirements)}" for paragraph, requirements in by_paragraph(rfc).items()]
    assert counts == COUNTS[rfc].split()
    texts = [(each.paragraph, each.text) for each in RFCS[rfc]]
    assert len(set(texts)) == len(texts)


@EACH_RFC
def test_every_requirement_has_a_test_or_a_reason_and_not_both(rfc: str) -> None:
    tests = found_tests(rfc)
    for each in RFCS[rfc]:
        has_test = any(paragraph == each.paragraph and each.text in quoted for paragraph, _, quoted in tests)
        assert has_test == (each.untested is None), f"§{each.paragraph}: {each.text}"


@EACH_RFC
def test_every_test_is_named_by_its_paragraph_and_quotes_what_it_shows(rfc: str) -> None:
    tests, paragraphs = found_tests(rfc), by_paragraph(rfc)
    assert tests
    assert len({name for _, name, _ in tests}) == len(tests)
    wrong = [
        name
        for paragraph, name, quoted in tests
        if not any(each.text in quoted for each in paragraphs.get(paragraph, []))
    ]
    assert not wrong


@EACH_RFC
def test_a_reason_says_more_than_that_there_is_no_test(rfc: str) -> None:
    for each in RFCS[rfc]:
        assert each.untested is None or len(each.untested.split()) > 5


@EACH_RFC
def test_every_requirement_is_quoted_in_few_words_of_the_sections_that_are_listed(rfc: str) -> None:
    listed, requirements = LISTS[rfc]
    for each in requirements:
        assert any(f"{each.paragraph}.".startswith(f"{section}.") for section in listed), each
        assert KEYWORD.search(" ".join(each.quotes)), each
        assert len(" ".join(each.quotes).split()) <= MAX_WORDS, each
