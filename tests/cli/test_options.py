"""The options' table: on the command line, in the environment, and what contradicts itself there."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from perfectws.cli.main import _parser, main
from perfectws.cli.options import BY_KEY, OPTIONS, PATTERNS
from perfectws.cli.settings import EXCLUDING, NEEDING, Settings
from perfectws.http.limits import LIMITS, HTTPLimits

#: A value of each kind that is none of the defaults, as it is written and as it is read.
EXAMPLES: dict[str, tuple[str, Any]] = {
    "NAME": ("shop", "shop"),
    "HOST": ("127.0.0.1", "127.0.0.1"),
    "PORT": ("8080", 8080),
    "PATH": ("/run/x.sock", "/run/x.sock"),
    "MODE": ("660", 0o660),
    "FILE": ("some.pem", "some.pem"),
    "ADDRESS": ("10.0.0.0/8, unix:", ["10.0.0.0/8", "unix:"]),
    "DIRECTORY": ("some", "some"),
    "PATTERN": ("*.json,*.md", ["*.json", "*.md"]),
    "N": ("7", 7),
    "SECONDS": ("2.5", 2.5),
    "BYTES": ("4096", 4096),
    "SIGNAL": ("usr1", signal.SIGUSR1 if hasattr(signal, "SIGUSR1") else None),
    "LEVEL": ("Warning", "warning"),
    "FORMAT": ("json", "json"),
    "": ("1", True),
}
HAS_HUP = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no such signal")
AVAILABLE = [each for each in OPTIONS if EXAMPLES[each.metavar][1] is not None]


def typed(*arguments: str) -> Settings:
    return Settings.of(_parser().parse_args(["serve", "module", *arguments]), {})


def in_environment(**variables: str) -> Settings:
    return Settings({}, variables)


def expected(key: str) -> Any:
    value = EXAMPLES[BY_KEY[key].metavar][1]
    return [value] if BY_KEY[key].is_many and not isinstance(value, list) else value


@pytest.mark.parametrize("option", AVAILABLE, ids=lambda option: option.key)
def test_each_option_may_be_typed_or_stand_in_the_environment(option: Any) -> None:
    text = EXAMPLES[option.metavar][0]
    on_command_line = typed(option.option, *([] if option.is_flag else [text]))
    assert on_command_line.get(option.key) == expected(option.key)
    assert on_command_line.title(option.key) == option.option
    environment = in_environment(**{option.variable: text})
    assert environment.get(option.key) == expected(option.key)
    assert (
        environment.title(option.key) == option.variable == "PERFECTWS_" + option.option[2:].replace("-", "_").upper()
    )


def test_every_limit_is_an_option_with_its_default_and_what_it_is() -> None:
    for name in LIMITS:
        option = BY_KEY[name]
        default = getattr(HTTPLimits, name)
        assert option.read(option.default) == default
        assert len(option.help) > 20
        assert "``" not in option.help
        assert name not in option.help  # the next one's text would begin with its name


def test_the_names_are_different_ones() -> None:
    assert len(BY_KEY) == len(OPTIONS)


def test_the_help_tells_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert [each.option for each in OPTIONS if f"  {each.option}" not in shown] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port", "65536"], "--port: it is a number from 0 to 65535, not 65536"),
        (["--port", "http"], "--port: it is a number from 0 to 65535, not 'http'"),
        (["--port", "none"], "--port: it is a number from 0 to 65535, not 'none'"),
        (["--max-connections", "0"], "--max-connections: it is a whole number above 0, or none, not 0"),
        (["--max-body-size", "1.5"], "--max-body-size: it is a whole number, not '1.5'"),
        (["--header-timeout", "nan"], "--header-timeout: it is a number of seconds above 0, or none, not nan"),
        (["--workers", "0"], "--workers: it is a number from 1 to 512, not 0"),
        (["--unix-mode", "rw"], "--unix-mode: it is a file mode such as 660, not 'rw'"),
        (["--unix-mode", "7777"], "--unix-mode: it is a file mode such as 660, not '7777'"),
        (["--proxy-from", "10.0.0.0/99"], "--proxy-from: it is addresses and networks"),
        (["--log-level", "loud"], "--log-level: it is one of debug, info, warning, error, critical, not 'loud'"),
        (["--log-format", "xml"], "--log-format: it is one of text, json, not 'xml'"),
        (["--tls-cert", ""], "--tls-cert: it is not to be empty"),
        (["--reload-dir", ","], "--reload-dir: it is one or several, with commas between them, not ','"),
        (["--reload-include", " "], "--reload-include: it is one or several, with commas between them, not ' '"),
        (["--proxy-from", ""], "--proxy-from: it is one or several, with commas between them, not ''"),
        (["--host", "x"], "unrecognized arguments: --host x (did you mean --address?)"),
        (["--uds=x"], "unrecognized arguments: --uds=x (did you mean --unix?)"),
        (["--max-conections", "3"], "(did you mean --max-connections?)"),
        (["--zzz"], "unrecognized arguments: --zzz\n"),
        (["--por", "1"], "unrecognized arguments: --por 1 (did you mean --port?)"),
        (["second"], "unrecognized arguments: second\n"),
    ],
)
def test_what_cannot_be_typed_is_said_in_one_line_with_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "module", *arguments])
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") <= 2  # with the usage


def test_who_names_no_command_is_told_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith("the following arguments are required: serve|routes|check|connect\n")


def test_none_and_infinity_are_limits_where_they_may_be() -> None:
    settings = typed("--max-connections", "none", "--body-timeout", "None", "--close-timeout", "inf")
    assert settings.get("max_connections", 3) is None
    assert settings.get("body_timeout", 3) is None
    assert settings.get("close_timeout") == float("inf")


def test_an_option_that_is_given_again_adds_where_there_may_be_several() -> None:
    settings = typed("--proxy-from", "10.0.0.1", "--proxy-from", "unix:,::1", "--port", "1", "--port", "2")
    assert settings.get("proxy_from") == ["10.0.0.1", "unix:", "::1"]
    assert settings.get("port") == 2


class TestTheEnvironment:
    def test_the_command_line_outdoes_it(self) -> None:
        settings = Settings({"port": 1, "access_log": False}, {"PERFECTWS_PORT": "2", "PERFECTWS_ACCESS_LOG": "1"})
        assert settings.get("port") == 1
        assert not settings.has("access_log")

    def test_an_empty_variable_is_none(self) -> None:
        settings = in_environment(PERFECTWS_PORT="", PERFECTWS_RELOAD="")
        assert not settings.has("port")
        assert settings.problems == []

    @pytest.mark.parametrize(
        ("text", "is_on"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("off", False)]
    )
    def test_a_flag_is_on_or_off(self, text: str, is_on: bool) -> None:
        assert in_environment(PERFECTWS_RELOAD=text).has("reload") == is_on

    def test_a_value_that_cannot_be_is_told_by_the_variables_name(self) -> None:
        settings = in_environment(PERFECTWS_PORT="http", PERFECTWS_RELOAD="perhaps")
        assert settings.problems == [
            "PERFECTWS_PORT: it is a number from 0 to 65535, not 'http'",
            "PERFECTWS_RELOAD: it is 1 or 0, not 'perhaps'",
        ]

    def test_a_misspelt_variable_is_told_and_others_are_nobodys_business(self) -> None:
        settings = in_environment(
            PERFECTWS_ADRESS="::1", PERFECTWS_SUCCESSION="{}", PERFECTWS_COLOUR_OF_THE_SHOP="red", PORT="1"
        )
        assert settings.doubts == [
            "nobody reads the variable PERFECTWS_ADRESS: did you mean PERFECTWS_ADDRESS?",
        ]


class TestContradictions:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--unix", "a", "--port", "1"], "--unix and --port contradict each other"),
            (["--unix", "a", "--address", "::1"], "--unix and --address contradict each other"),
            pytest.param(
                ["--reload", "--reload-on", "hup"],
                "--reload and --reload-on contradict each other",
                marks=HAS_HUP,
            ),
            (["--tls-key", "a"], "--tls-key means nothing without --tls-cert"),
            (["--reload-dir", "a"], "--reload-dir means nothing without --reload"),
            (["--reload-include", "a", "--no-reload"], "--reload-include means nothing without --reload"),
            (["--address", "systemd:", "--port", "1"], "--address systemd: and --port contradict each other"),
            (["--address", "unix:a", "--port", "1"], "--address unix:a and --port contradict each other"),
            (["--address", "systemd:", "--reload"], "--reload and --address systemd: contradict each other"),
            (["--unix-mode", "660", "--port", "1"], "--unix-mode means nothing without --unix"),
        ],
    )
    def test_each_is_one_line_that_names_both_and_exit_code_2(
        self, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["serve", "module_that_nobody_looks_for", *arguments]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"python -m perfectws serve: error: {says}")
        assert told.count("\n") == 1

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--unix", "a", "--unix-mode", "660"],
            ["--address", "unix:a", "--unix-mode", "660"],
            ["--unix-mode", "660"],  # of a server that has its path itself
            ["--unix", "a", "--reload", "--workers", "3", "--reload-dir", "b"],
            ["--address", "::1", "--port", "1", "--tls-cert", "a", "--no-reload"],
            pytest.param(["--no-reload", "--reload-on", "hup"], marks=HAS_HUP),
        ],
    )
    def test_what_goes_together_is_none(self, arguments: list[str]) -> None:
        assert typed(*arguments).problems == []

    def test_the_command_line_leaves_aside_what_it_contradicts_in_the_environment(self) -> None:
        variables = {"PERFECTWS_PORT": "1", "PERFECTWS_ADDRESS": "::1", "PERFECTWS_RELOAD": "1"}
        settings = Settings({"unix": "a", "reload_on": signal.SIGINT}, variables)
        assert settings.problems == []
        assert not any(settings.has(key) for key in ("port", "address", "reload"))
        settings = Settings({"port": 2}, {"PERFECTWS_UNIX": "a"})
        assert (settings.problems, settings.has("unix"), settings.get("port")) == ([], False, 2)

    @pytest.mark.parametrize(
        ("variables", "arguments", "left"),
        [
            ({"ADDRESS": "unix:a"}, ["--port", "1"], {"address"}),
            ({"ADDRESS": "fd:0"}, ["--reload", "--port", "1"], {"address"}),
            ({"ADDRESS": "fd:0"}, ["--reload"], {"address"}),
            ({"PORT": "1"}, ["--address", "unix:a"], {"port"}),
            ({"PORT": "1"}, ["--address", "fd:0"], {"port"}),
            ({"RELOAD": "1"}, ["--address", "fd:0"], {"reload"}),
            ({"UNIX": "a", "UNIX_MODE": "660"}, ["--port", "1"], {"unix", "unix_mode"}),
            ({"UNIX_MODE": "660"}, ["--address", "::1", "--port", "1"], {"unix_mode"}),
            ({"UNIX_MODE": "660", "ADDRESS": "::1"}, ["--port", "1"], {"unix_mode"}),
            ({"ADDRESS": "::1", "PORT": "1"}, ["--unix-mode", "660"], {"address", "port"}),
            ({"UNIX_MODE": "660"}, ["--address", "unix:a"], set()),
        ],
    )
    def test_whatever_it_is_that_contradicts(
        self, variables: dict[str, str], arguments: list[str], left: set[str]
    ) -> None:
        environment = {f"PERFECTWS_{name}": value for name, value in variables.items()}
        settings = Settings.of(_parser().parse_args(["serve", "module", *arguments]), environment)
        assert settings.problems == []
        assert {name.lower() for name in variables if not settings.has(name.lower())} == left

    def test_what_two_say_together_is_told_once(self) -> None:
        arguments = ["--unix-mode", "660", "--address", "::1", "--port", "1"]
        assert typed(*arguments).problems == ["--unix-mode means nothing without --unix"]

    def test_two_variables_may_contradict_each_other(self) -> None:
        settings = in_environment(PERFECTWS_UNIX="a", PERFECTWS_PORT="1")
        assert settings.problems == [
            "PERFECTWS_UNIX and PERFECTWS_PORT contradict each other: a Unix socket has no port"
        ]

    def test_what_stands_ready_for_reload_in_the_environment_is_none(self) -> None:
        assert in_environment(PERFECTWS_RELOAD_DIR="a").problems == []

    def test_the_tables_name_options(self) -> None:
        named = {
            *(key for one, other, _ in EXCLUDING for key in (one, other)),
            *(key for pair in NEEDING for key in pair),
        }
        assert named <= BY_KEY.keys()


def test_code_pages_and_templates_are_watched() -> None:
    assert {"*.py", "*.html", "*.css", "*.js", "*.mustache", "*.jinja2"} <= {*PATTERNS}
