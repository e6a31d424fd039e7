"""What the benchmarks make of their figures: medians, ratios within a round, the table, the picture, the verdicts."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.measure import Figures
from benchmarks.plot import draw
from benchmarks.results import Block, Outcome, Results
from benchmarks.scenarios import default_scenarios, find_scenarios, why_impossible
from benchmarks.servers import SERVERS, Settings
from benchmarks.table import as_markdown, as_text
from benchmarks.targets import TARGETS
from benchmarks.targets import as_text as targets_as_text


def block(name: str, **cpu_us: tuple[float, ...]) -> Block:
    """Return a scenario with the servers' CPU times by round."""
    made = Block(find_scenarios(name)[0])
    for server, values in cpu_us.items():
        outcome = Outcome(SERVERS[server.replace("_", "-")])
        outcome.rounds = {number: Figures(rate=1000, cpu_us=value, count=7) for number, value in enumerate(values)}
        made.outcomes[outcome.server.name] = outcome
    return made


def test_a_ratio_is_the_median_of_those_within_a_round() -> None:
    made = block("echo-64-100x1", perfectws=(10, 20, 90), picows_uvloop=(10, 10, 30))
    assert made.ratio("perfectws") == 2  # of 1, 2, 3; the ratio of the medians would be 2 too, of the means 2.4
    assert made.outcomes["perfectws"].median("cpu_us") == 20
    assert made.ratio("perfectws", "aiohttp-uvloop") is None


def test_a_round_in_which_one_of_the_two_failed_makes_no_ratio() -> None:
    made = block("echo-64-100x1", perfectws=(10, 40), picows_uvloop=(10, 10))
    del made.outcomes["picows-uvloop"].rounds[1]
    assert made.ratio("perfectws") == 1


def test_the_table_tells_why_a_figure_is_missing_and_which_shape_flatters() -> None:
    made = block("echo-64-50x10", perfectws=(2,), picows_uvloop=(5,))
    made.outcomes["hypercorn"] = Outcome(SERVERS["hypercorn"], reason="it is not installed")
    text = as_text(Results([made]))
    assert "n/a  it is not installed" in text
    assert "flatters" in text
    assert "0.40" in text
    assert "| perfectws | 2.00 |" in as_markdown(Results([made]))


def test_the_picture_is_well_formed_and_has_a_bar_or_a_reason_for_each_server() -> None:
    made = block("echo-64-100x1", perfectws=(2,), picows_uvloop=(5,), tornado=(500,))
    made.outcomes["hypercorn"] = Outcome(SERVERS["hypercorn"], reason="it is not installed")
    root = ElementTree.fromstring(draw(Results([made, made, made, made])))
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for word in ("perfectws", "picows + uvloop", "tornado", "hypercorn (trio)", "n/a", "500"):
        assert words.count(word) == 4


@pytest.mark.parametrize("name", ["echo-64-7x3", "echo-2048-9x1-spread", "echo-64-100x1-paced"])
def test_any_shape_of_echo_can_be_asked_for(name: str) -> None:
    scenario = find_scenarios(name)[0]
    assert scenario.name == name
    assert (scenario.spread, scenario.paced) == (name.endswith("spread"), name.endswith("paced"))


@pytest.mark.parametrize("name", ["echo-1048576-10000x10", "echo-4-1x1", "echo-64-0x1", "nothing"])
def test_a_shape_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        find_scenarios(name)


def test_every_scenario_of_the_full_table_fits_the_machine() -> None:
    scenarios = default_scenarios(full=True)
    assert len({scenario.name for scenario in scenarios}) == len(scenarios)
    assert all(why_impossible(scenario) is None for scenario in scenarios)


def test_every_target_names_a_scenario_and_servers_that_there_are() -> None:
    for target in TARGETS:
        assert [scenario.name for scenario in find_scenarios(target.scenario)] == [target.scenario]
        assert {target.ours, target.to or target.ours} <= SERVERS.keys()


def test_a_target_is_judged_by_its_ratio() -> None:
    made = block("echo-64-50x10", perfectws=(2,), picows_uvloop=(5,))
    assert TARGETS[0].figure(made) == 0.4
    assert TARGETS[0].text(made) == "echo 64 B, 50 × 10: CPU ≤ 0.6 × picows + uvloop"
    judged = {"target": "a", "figure": 0.4, "bound": 0.6, "aim": 0.5, "verdict": "PASS", "reason": ""}
    assert targets_as_text([judged]) == "PASS      0.40  a  (aim 0.5)\n"


def test_every_server_of_the_table_has_its_file() -> None:
    folder = Path(Settings.__module__.replace(".", "/"))
    for server in SERVERS.values():
        assert (Path(__file__).parent.parent.parent / folder / f"{server.module}.py").exists()
