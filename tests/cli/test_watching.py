"""Which files `--reload` watches."""

from __future__ import annotations

import builtins
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from perfectws import LaunchFailure
from perfectws.cli.options import PATTERNS
from perfectws.cli.settings import Settings
from perfectws.cli.watching import Watched, watched_for


@pytest.mark.parametrize(
    ("name", "is_watched"),
    [
        ("shop.py", True),
        ("pages/index.html", True),
        ("templates/deep/er/page.mustache", True),
        ("shop.db", False),
        ("shop.log", False),
        ("shop.pyc", False),
        ("__pycache__/shop.py", False),
        (".venv/lib/shop.py", False),
        ("node_modules/x/index.js", False),
        ("../elsewhere/shop.py", False),
        ("notes.md", True),
    ],
)
def test_code_pages_and_templates_are_but_not_what_others_have_made(
    name: str, is_watched: bool, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    watched = Watched([str(tmp_path / "site")], [*PATTERNS, "*.md"])
    assert watched.has(os.path.normpath(tmp_path / "site" / name)) == is_watched


def test_a_directory_below_a_hidden_one_is_watched_all_the_same(tmp_path: Path) -> None:
    site = tmp_path / ".sites" / "venv"
    site.mkdir(parents=True)
    assert Watched([str(site)], PATTERNS).has(str(site / "shop.py"))


def test_one_that_lies_in_another_is_watched_once(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    assert Watched([str(tmp_path / "inner"), str(tmp_path), str(tmp_path)], []).directories == [tmp_path.resolve()]


def test_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LaunchFailure, match=r"--reload: there is no directory '.*gone' to watch"):
        Watched([str(tmp_path / "gone")], [])


def test_by_itself_it_is_where_one_is_where_the_module_is_and_the_document_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "code", "pages", "named"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    pages = {"document_root": "../pages"}
    names = [each.name for each in watched_for("../code/shop.py:routes", Settings(pages, {})).directories]
    assert names == ["here", "code", "pages"]
    assert [each.name for each in watched_for("code.shop", Settings({}, {})).directories] == ["here"]
    settings = Settings({**pages, "reload": True, "reload_dir": ["../named"], "reload_include": ["*.x"]}, {})
    named = watched_for("shop", settings)
    assert [each.name for each in named.directories] == ["named", "pages"]
    assert named.has(str(tmp_path / "named" / "a.x"))


def test_a_change_is_yielded_once_and_between_them_nothing(tmp_path: Path) -> None:
    changes = Watched([str(tmp_path)], ["*.py"]).changes()
    assert next(changes) == []  # it watches now
    (tmp_path / "other.txt").write_text("x")
    (tmp_path / "shop.py").write_text("x")
    found: list[str] = []
    while not found:
        found = [*next(changes)]
    assert [os.path.basename(each) for each in found] == ["shop.py"]


def test_while_something_else_is_written_again_and_again_it_goes_on_yielding(tmp_path: Path) -> None:
    changes = Watched([str(tmp_path)], ["*.py"]).changes()
    for number in range(4):
        assert next(changes) == []
        (tmp_path / "shop.log").write_text(str(number))


def test_what_cannot_be_watched_is_told(tmp_path: Path) -> None:
    watched = Watched([str(tmp_path)], ["*.py"])
    tmp_path.rmdir()
    with pytest.raises(LaunchFailure, match=r"--reload cannot watch: .*; name fewer directories by --reload-dir"):
        next(watched.changes())


def test_without_watchfiles_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def importing(name: str, *arguments: Any) -> Any:
        if name == "watchfiles":
            raise ModuleNotFoundError(name)
        return real(name, *arguments)

    monkeypatch.delitem(sys.modules, "watchfiles", raising=False)
    monkeypatch.setattr(builtins, "__import__", importing)
    with pytest.raises(LaunchFailure, match=r"--reload needs watchfiles: pip install 'perfectws\[dev\]'"):
        next(Watched([str(tmp_path)], []).changes())
