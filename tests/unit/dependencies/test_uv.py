"""What uv is told and what is told of it: under its own names, and never a password."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies import uv
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled

INDEX = "https://reader:hunter2@packages.test/simple"


@pytest.mark.parametrize(
    "said",
    [
        f"error: Failed to fetch: `{INDEX}/flask/`",
        "error: Request failed\n  cause: `/usr/bin/git fetch https://reader:hunter2@git.test/a.git` failed",
        "error: no answer for hunter2",
        "error: 401\n  cause: https://hunter2@packages.test/",
    ],
)
def test_no_password_is_told(said: str) -> None:
    told = uv._told(said, {"PIP_INDEX_URL": INDEX})
    assert "hunter2" not in told
    assert told


def test_an_error_and_its_causes_are_one_line_without_hints() -> None:
    said = (
        "warning: an old file\nerror: Failed to build `x`\n  cause: The build\n         backend failed\n"
        "  cause: The build\n\nhint: try another\n"
    )
    assert uv._told(said, {}) == "Failed to build 'x': The build backend failed"


def test_what_is_long_is_cut() -> None:
    assert len(uv._told("error: " + "x" * 9999, {})) < uv.TOLD + 2


def test_pips_variables_have_uvs_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    monkeypatch.setenv("UV_INDEX", "of this machine")
    monkeypatch.delenv("UV_SYSTEM_CERTS", raising=False)
    made = uv._environment(
        {
            "PIP_INDEX_URL": INDEX,
            "PIP_FIND_LINKS": "https://a.test/  https://b.test/",
            "PIP_CERT": str(bundle),
            "PIP_NO_INDEX": "1",
            "HTTPS_PROXY": "http://proxy.test",
        }
    )
    assert made["UV_DEFAULT_INDEX"] == INDEX
    assert made["UV_FIND_LINKS"] == "https://a.test/,https://b.test/"
    assert made["SSL_CERT_FILE"] == str(bundle)
    assert made["HTTPS_PROXY"] == "http://proxy.test"
    assert (made["UV_INDEX"], made["UV_SYSTEM_CERTS"], made["UV_NO_INDEX"]) == ("of this machine", "1", "1")


def test_a_certificate_of_the_servers_alone_changes_nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/of/this/machine.pem")
    assert uv._environment({"PIP_CERT": "/on/the/server.pem"})["SSL_CERT_FILE"] == "/of/this/machine.pem"


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("invalid peer certificate: UnknownIssuer", "name the CA's certificates"),
        ("HTTP status client error (401 Unauthorized)", "give user and password"),
        ("dns error: failed to lookup address information", "let this machine reach an index"),
        ("Git operation failed", "this machine must be able to fetch it with git"),
        ("Failed to build 'x==1'", "this machine builds what has no wheel"),
        ("the requested Python version (>=3.11) does not satisfy Python>=3.12", "name the oldest Python"),
        ("x was not found in the package registry", "mend its name"),
        ("your requirements are unsatisfiable", "loosen what can't be had together"),
        ("anything else", "mend what it names"),
    ],
)
def test_each_cause_has_its_remedy(said: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "uv"
    fake.write_text(f'#!/bin/sh\necho "error: {said}" >&2\nexit 1\n')
    fake.chmod(0o755)
    monkeypatch.setattr(uv, "_uv", lambda: str(fake))
    with pytest.raises(Unsettled) as refused:
        uv.run(["pip", "compile"], tmp_path, {}, "requirements", "requirements.txt")
    assert refused.value.fault.startswith(f"uv can't lock requirements.txt: {said}; {remedy}")
