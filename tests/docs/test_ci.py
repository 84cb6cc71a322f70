"""GitHub's workflow has the lines of docs/ci.md, which the scenario `as_documented` runs."""

from __future__ import annotations

import yaml

from pages import PROJECT, blocks

WORKFLOW = PROJECT / ".github/workflows/deploy.yml"


def test_the_workflow_runs_what_the_page_says() -> None:
    page = [line for it in blocks(PROJECT / "docs/ci.md", "sh") for line in it.commands]
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    run = [line for job in jobs.values() for step in job["steps"] for line in step.get("run", "").splitlines()]
    assert len(run) > 12
    assert [line for line in run if line not in page] == []
    # And all of them, but for those that a person types once.
    assert [line for line in page if line not in run and not line.startswith("ssh-key")] == []


def test_production_comes_after_staging() -> None:
    assert yaml.safe_load(WORKFLOW.read_text())["jobs"]["production"]["needs"] == "staging"
