"""What the benchmarks make of their figures: medians, ratios within a round, the table, the picture, the verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import measure as measuring
from benchmarks import runner
from benchmarks.markdown import as_markdown
from benchmarks.measure import Figures, Timing
from benchmarks.plot import draw
from benchmarks.processes import Cores, Failure
from benchmarks.results import Block, Outcome, Results
from benchmarks.runner import run
from benchmarks.scenarios import Scenario, default_scenarios, find_scenarios, why_impossible
from benchmarks.servers import SERVERS, Server, Settings
from benchmarks.table import as_text
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


def test_in_markdown_each_figure_has_its_table_and_what_is_missing_its_reason() -> None:
    made = block("echo-64-50x10", perfectws=(2,), picows_uvloop=(5,))
    idle = block("idle", perfectws=())
    idle.outcomes["perfectws"].rounds[0] = Figures(memory=4.5 * 1024)
    made.outcomes["hypercorn"] = Outcome(SERVERS["hypercorn"], reason="did not start:\nTraceback\nOSError: no")
    text = as_markdown(Results([made, idle]))
    assert "| | perfectws | picows + uvloop | hypercorn (trio) |" in text
    assert "| echo 64 B, 50 × 10 | 2.00 | 5.00 | n/a |" in text
    assert "| 10,000 idle connections | 4.50 KB |  |  |" in text
    assert "| echo 64 B, 50 × 10 | 1,000 | 1,000 | n/a |" in text.partition("## Rate")[2]
    assert "## p99" not in text
    assert "hypercorn (trio): did not start: … OSError: no." in text


def test_in_markdown_a_check_is_its_bounds() -> None:
    results = Results([block("echo-64-50x10", perfectws=(2,))])
    texts = {"target": "CPU ≤ 1", "bound": 1.0, "reason": ""}
    results.targets = [
        {**texts, "figure": 0.5, "aim": 0.4, "verdict": "PASS"},
        {**texts, "figure": 1.234, "aim": None, "verdict": "FAIL"},
        {**texts, "figure": None, "aim": None, "verdict": "n/a"},
    ]
    assert as_markdown(results).splitlines()[2:] == [
        "| CPU ≤ 1 | 0.50 | 0.40 |  |",
        "| CPU ≤ 1 | 1.23 |  | missed |",
        "| CPU ≤ 1 |  |  | not measured |",
    ]


def test_the_table_tells_how_much_of_its_core_a_server_used() -> None:
    made = block("echo-64-50x10", perfectws=(900,))  # 1,000 a second
    assert "90%" in as_text(Results([made]))


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


def test_the_full_table_has_every_shape_of_echo_and_a_spread_one_beside_what_flatters() -> None:
    scenarios = {scenario.name: scenario for scenario in default_scenarios(full=True)}
    for size in (64, 1024, 16 * 1024, 1024 * 1024):
        for connections in (1, 10, 100, 1_000, 10_000):
            assert f"echo-{size}-{connections}x1" in scenarios
            assert f"echo-{size}-{connections}x10" in scenarios
    for name, scenario in scenarios.items():
        if "compare spread" in scenario.note and why_impossible(scenario) is None:
            assert f"{name}-spread" in scenarios


def test_a_shape_that_does_not_fit_the_machine_is_shown_with_the_reason() -> None:
    scenario = next(each for each in default_scenarios(full=True) if each.name == "echo-1048576-10000x10")
    results = run([(scenario, [SERVERS["perfectws"]])], Cores(None, None), Timing(1, 1), 1, say=str)
    assert results.blocks[0].outcomes["perfectws"].reason == "100000 MiB would be under way at once"
    assert results.failures == []


def test_another_server_is_the_first_in_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(runner, "_run_one", lambda scenario, outcome, *_: order.append(outcome.server.name))
    servers = [SERVERS[name] for name in ("perfectws", "picows", "websockets")]
    run([(find_scenarios("echo-64-1x1")[0], servers)], Cores(None, None), Timing(1, 1), 2, say=str)
    assert order == ["perfectws", "picows", "websockets", "picows", "websockets", "perfectws"]


def test_a_reference_that_fails_costs_the_scenario_that_goes_by_it_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> float:
        raise Failure("it did not start")

    monkeypatch.setattr(runner, "_reference_rate", fail)
    plan = [(find_scenarios("echo-64-100x1-paced")[0], [SERVERS["perfectws"]])]
    results = run(plan, Cores(None, None), Timing(1, 1), 1, say=str)
    assert results.failures == ["echo-64-100x1-paced, perfectws: there is no rate to go by: it did not start"]


def test_what_was_measured_before_an_interruption_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure_once(scenario: Scenario, outcome: Outcome, *_: object) -> None:
        if scenario.name == "open":
            raise KeyboardInterrupt
        outcome.rounds[0] = Figures(rate=1, cpu_us=1)

    monkeypatch.setattr(runner, "_run_one", measure_once)
    plan = [(find_scenarios(name)[0], [SERVERS["perfectws"]]) for name in ("echo-64-1x1", "open", "idle")]
    results = run(plan, Cores(None, None), Timing(1, 1), 1, say=str)
    assert results.was_stopped
    assert [block.scenario.name for block in results.blocks] == ["echo-64-1x1", "open"]
    assert results.blocks[0].outcomes["perfectws"].median("cpu_us") == 1


def test_a_window_in_which_too_few_came_back_is_measured_again_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def report(mode: str, running: object, cores: Cores, *, timeout: float, **options: float) -> dict[str, Any]:
        asked.append(options["seconds"])
        window = {"messages": 4_000 * options["seconds"], "seconds": options["seconds"]}
        return {
            "window": window | {"server_cpu_seconds": 1.0, "busy": 0.5},
            "latency": {"p50_us": 1.0, "p99_us": 2.0},
        }

    monkeypatch.setattr(measuring, "run_load", report)
    scenario = find_scenarios("echo-64-10000x1")[0]
    running: Any = None
    figures = measuring.measure(scenario, running, Cores(None, None), Timing(0.5, 0.1))
    assert asked == [0.5, 9.0]  # three messages of each take 7.5 s, and a fifth more to be sure
    assert figures.count == 36_000


def test_a_package_inside_one_that_is_missing_is_missing_too() -> None:
    server = Server("a", "a", "a", ("there_is_no_such_package.trio",))
    assert server.why_not("echo") == "there_is_no_such_package.trio not installed"


def test_every_target_names_a_scenario_and_servers_that_there_are() -> None:
    for target in TARGETS:
        for name, servers in target.whose.items():
            assert [scenario.name for scenario in find_scenarios(name)] == [name]
            assert set(servers) <= SERVERS.keys()


def test_a_target_is_judged_by_its_ratio() -> None:
    made = block("echo-64-50x10", perfectws=(2,), picows_uvloop=(5,))
    blocks = {"echo-64-50x10": made}
    assert TARGETS[0].figure(blocks) == 0.4
    assert TARGETS[0].text(blocks) == "echo 64 B, 50 × 10: CPU ≤ 0.6 × picows + uvloop"


def test_a_target_may_be_over_ours_in_another_scenario() -> None:
    target = next(each for each in TARGETS if each.over == "echo-1024-100x1" and each.ours == "perfectws-on-text")
    assert target.whose == {"echo-1024-100x1-4parts": ["perfectws-on-text"], "echo-1024-100x1": ["perfectws-on-text"]}
    blocks = {
        "echo-1024-100x1-4parts": block("echo-1024-100x1-4parts", perfectws_on_text=(15, 20, 90)),
        "echo-1024-100x1": block("echo-1024-100x1", perfectws_on_text=(10, 10)),
    }
    assert target.figure(blocks) == 2
    assert target.text(blocks) == ("echo 1 KiB, 100 × 1, in 4 parts: perfectws, on_text: CPU ≤ 2 × echo 1 KiB, 100 × 1")
    blocks["echo-1024-100x1"].outcomes["perfectws-on-text"] = Outcome(SERVERS["perfectws-on-text"], reason="it broke")
    assert target.figure(blocks) is None
    assert target.why_missing(blocks) == "it broke"
    judged = {"target": "a", "figure": 0.4, "bound": 0.6, "aim": 0.5, "verdict": "PASS", "reason": ""}
    assert targets_as_text([judged]) == "PASS      0.40  a  (aim 0.5)\n"


def test_every_server_of_the_table_has_its_file() -> None:
    folder = Path(Settings.__module__.replace(".", "/"))
    for server in SERVERS.values():
        assert (Path(__file__).parent.parent.parent / folder / f"{server.module}.py").exists()
