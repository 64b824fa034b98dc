from pathlib import Path

import pytest

from budget.settings import Settings as BudgetSettings
from lab.paths import COMPONENTS
from lab.ports import Ports
from lab.redis_binary import default_redis
from lab.reproduce import arm_config
from lab.runtimes import EmbeddedRuntime
from lab.scenario import Scenario
from workflow_app.settings import Settings as AppSettings


@pytest.mark.parametrize("call_s", [0.1, 2, 29, 31, 59.9, 60, 119, 600])
@pytest.mark.parametrize("workflows", [1, 64, 65, 257, 500])
def test_the_services_carry_every_scenario_that_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call_s: float, workflows: int
) -> None:
    """No call is given up before it ends, by app or gateway, and each workflow has its thread."""
    scenario = Scenario(call_s=call_s, workflows=workflows, observe_s=5 * 600 + 2)
    config = arm_config(scenario, "off", tmp_path, COMPONENTS, Ports())
    for spec in EmbeddedRuntime(default_redis()).services(config):
        for name, value in spec.env.items():
            monkeypatch.setenv(name, value)
    app, gateway = AppSettings(), BudgetSettings()
    assert app.llm_timeout_s >= 2 * call_s
    assert gateway.upstream_timeout_s >= app.llm_timeout_s + 60
    assert app.activity_threads >= 4 * workflows
