"""What `rota up` decides without touching anything."""

from pathlib import Path

import pytest

from rota_cli.up.keeper import Backoff
from rota_cli.up.options import Options, parse_scale
from rota_cli.up.program import ending
from rota_cli.up.services import Instance, Surroundings, inherited_environment, instances


def test_a_part_that_goes_on_dying_waits_twice_as_long_each_time_up_to_half_a_minute() -> None:
    backoff = Backoff()
    delays = [backoff.delay(lived_seconds=1) for _ in range(8)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_minute_of_life_forgives_earlier_deaths() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.delay(lived_seconds=1)
    assert backoff.delay(lived_seconds=60) == 0.5


def test_each_service_runs_once_unless_scaled() -> None:
    names = [instance.name for instance in instances({"executor": 3})]
    assert names == ["gateway", "ticker", "executor", "executor-2", "executor-3", "results", "notifier"]


@pytest.mark.parametrize(
    "text", ["executor", "executor=0", "executor=-1", "executor=x", "nobody=2", "executor=65"]
)
def test_a_wrong_scale_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no service|write executor=N"):
        parse_scale([text])


def test_options_survive_the_way_to_the_background() -> None:
    options = Options(Path("d"), port=9000, scale={"executor": 2}, model="none", demo=False)
    assert options.arguments() == [
        *("--data-dir", "d", "--model", "none", "--port", "9000", "--scale", "executor=2", "--no-demo"),
    ]


def test_an_ending_is_told_by_code_or_by_signal() -> None:
    assert ending(3) == "exit code 3"
    assert ending(-9) == "signal SIGKILL"


SURROUNDINGS = Surroundings(
    postgres_urls={service: f"postgresql://{service}" for service in ("gateway", "ticker", "executor")},
    nats_url="nats://here",
    seeds={"gateway": "S-GATEWAY", "ticker": "S-TICKER", "executor": "S-EXECUTOR"},
    http_ports={"gateway": 8080, "ticker": 9001, "executor": 9002},
    model_url="http://model/v1",
    model_key="model-key",
    inherited={"ANTHROPIC_API_KEY": "mine"},
)


def test_a_service_is_told_its_own_secrets_and_no_others() -> None:
    environment = SURROUNDINGS.environment(Instance("ticker", 1))
    assert environment["ROTA_NATS_NKEY_SEED"] == "S-TICKER"
    assert environment["ROTA_HTTP_PORT"] == "9001"
    assert environment["ANTHROPIC_API_KEY"] == "mine"
    assert not any(secret in str(environment) for secret in ("S-GATEWAY", "S-EXECUTOR", "model-key"))


def test_the_executor_knows_the_model_and_where_every_service_answers() -> None:
    environment = SURROUNDINGS.environment(Instance("executor", 1))
    assert environment["EXECUTOR_LOCAL_MODEL_URL"] == "http://model/v1"
    assert environment["EXECUTOR_LOCAL_MODEL_KEY"] == "model-key"
    assert environment["EXECUTOR_SERVICE_URLS"] == (
        "gateway=http://127.0.0.1:8080,ticker=http://127.0.0.1:9001,executor=http://127.0.0.1:9002"
    )


def test_the_gateway_knows_whom_to_wait_for() -> None:
    environment = SURROUNDINGS.environment(Instance("gateway", 1))
    assert environment["GATEWAY_SERVICE_URLS"] == (
        "ticker=http://127.0.0.1:9001,executor=http://127.0.0.1:9002"
    )


def test_the_executor_gets_its_grace_before_it_is_killed() -> None:
    executor = Instance("executor", 1)
    assert executor.stop_seconds({}) == 45
    assert executor.stop_seconds({"EXECUTOR_GRACE_SECONDS": "120"}) == 135
    assert Instance("results", 1).stop_seconds({}) == 15


def test_bootstrap_gets_the_first_key_and_the_models_to_choose_from() -> None:
    environment = SURROUNDINGS.bootstrap_environment("rota_key")
    assert environment["GATEWAY_BOOTSTRAP_API_KEY"] == "rota_key"
    assert environment["EXECUTOR_LOCAL_MODEL_URL"] == "http://model/v1"
    assert environment["ROTA_POSTGRES_URL"] == "postgresql://gateway"


def test_what_rota_up_decides_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTA_POSTGRES_URL", "postgresql://somewhere/else")
    monkeypatch.setenv("EXECUTOR_SLOTS", "4")
    environment = inherited_environment()
    assert "ROTA_POSTGRES_URL" not in environment
    assert environment["EXECUTOR_SLOTS"] == "4"
