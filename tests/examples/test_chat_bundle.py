"""The chat's script in one piece: each module a scope of its own, in the order in which they need each other."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from examples.chat.bundle import script, style

MODULES = {
    "main": """import { Log } from "./log.js";
import { tell } from "./times.js";

const log = new Log();
console.log(log.name, tell());""",
    "log": """import { tell } from "./times.js";

const DAY = 1;
export class Log {
  name = `log ${tell()} ${DAY}`;
}""",
    "times": """const DAY = 2;
export function tell() {
  return DAY;
}
export const unused = 0;""",
}


def write(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text + "\n", encoding="utf-8")
    return folder


def test_it_does_what_its_modules_do(tmp_path: Path) -> None:
    text = script(write(tmp_path, **MODULES), "main")
    assert text.count("const times_js = ") == 1
    node = shutil.which("node")
    assert node is not None
    ended = subprocess.run([node, "-"], input=text, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "log 2 1 2\n"


@pytest.mark.parametrize("line", ['import "./other.js";', "export default 1;", 'import * as all from "./all.js";'])
def test_a_line_that_it_does_not_know_is_refused(line: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^main\.js: the bundle knows no such line: (import|export)"):
        script(write(tmp_path, main=line), "main")


def test_style_sheets_stand_in_their_order(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.css").write_text(f".{name} {{}}\n")
    assert style(tmp_path, "ba") == ".b {}\n\n.a {}\n"
