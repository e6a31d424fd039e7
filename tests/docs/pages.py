"""Which pages there are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

#: Beside those of docs/.
AT_THE_ROOT = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")


def pages() -> list[Path]:
    """Return every page."""
    inside = [path for path in DOCS.rglob("*.md") if "_build" not in path.parts]
    return [*sorted(inside), *(ROOT / name for name in AT_THE_ROOT)]


def name_of(page: Path) -> str:
    """Return what a page is called in tests: its path."""
    return str(page.relative_to(ROOT))
