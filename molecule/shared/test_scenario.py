"""Runs with the tests of every scenario."""

import os
from pathlib import Path


def test_scenario_brings_tests_of_its_own() -> None:
    """Without any, molecule would warn and call the scenario a success."""
    scenario = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
    assert list(scenario.glob("tests/test_*.py")), f"{scenario} has no tests/test_*.py"
