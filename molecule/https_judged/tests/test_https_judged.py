"""HTTPS as others judge it: a browser, which has nothing to say of the page, and testssl.sh, which grades it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright
from testinfra.host import Host

from authority import Authority
from server import PROJECT, Server

NAME = "flask.test"
# Where `make screenshot` finds the page.
PICTURE = PROJECT / ".cache" / "home-page.png"
# Time enough for a browser on a machine that has much else to do.
PATIENCE_MS = 60_000
# What testssl.sh calls no more than this is no fault; WARN and FATAL are tests that it couldn't make.
HARMLESS = {"OK", "INFO", "LOW"}
# What it finds all the same, and why that says nothing of the server.
EXCUSED = {
    "cert_revocation": "the test's authority tells of no CRL and no OCSP address, because it ends with the test",
    "engine_problem": "testssl.sh means its own OpenSSL, which can't offer GOST",
}
# What it can't always find out, and then calls a fault of the connection: there are no tickets to resume with.
NOT_ALWAYS = {"sessionresumption_ticket"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def site(host: Host, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The sample app by HTTPS, as strict as it may be: it works without a line of inline script or style."""
    server = Server(host, tmp_path_factory.mktemp("server"))
    headers = {"Content-Security-Policy": "default-src 'self'"}
    server.app |= {**authority.make(NAME), "hsts": 31_536_000, "headers": headers}
    server.deploy()
    return server


# --- A browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def start(site: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Browser]]:
    """Starts Debian's Chromium in a home of its own, where it trusts these authorities beside the usual ones."""
    program = shutil.which("chromium")
    assert program, "chromium is missing; `make browser` installs it"
    # The ports stand in for 80 and 443, so that the browser asks by the URLs of a visitor.
    rules = f"MAP {NAME}:80 127.0.0.1:{site.port}, MAP {NAME}:443 127.0.0.1:{site.https_port}"
    with sync_playwright() as playwright:

        def chromium(*trusted: Path) -> Browser:
            home = tmp_path_factory.mktemp("home")
            store = home / ".pki" / "nssdb"
            store.mkdir(parents=True)
            certutil = ["certutil", "-d", f"sql:{store}"]
            subprocess.run([*certutil, "-N", "--empty-password"], check=True)
            for path in trusted:
                subprocess.run([*certutil, "-A", "-n", path.name, "-t", "C,,", "-i", str(path)], check=True)
            return playwright.chromium.launch(
                executable_path=program,
                args=[f"--host-resolver-rules={rules}"],
                env={**os.environ, "HOME": str(home)},
                timeout=PATIENCE_MS,
            )

        yield chromium


@pytest.fixture(scope="module")
def browser(start: Callable[..., Browser], authority: Authority) -> Iterator[Browser]:
    """Trusts the authority."""
    started = start(authority.folder / "ca.pem")
    yield started
    started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of a visitor who was never here."""
    context = browser.new_context(viewport={"width": 800, "height": 720})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    context.close()


@pytest.fixture
def said(page: Page) -> list[str]:
    """All that the browser says of the page, as it says it."""
    words: list[str] = []
    page.on("console", lambda message: words.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: words.append(f"exception: {error}"))
    page.on("requestfailed", lambda request: words.append(f"{request.url}: {request.failure}"))
    page.on("response", lambda answer: words.append(f"{answer.url}: {answer.status}") if answer.status >= 400 else None)
    # What the developer tools list as issues: mixed content, violated policies, quirks, what is to be removed.
    session = page.context.new_cdp_session(page)
    session.on("Audits.issueAdded", lambda event: words.append(f"issue: {event['issue']['code']}"))
    session.send("Audits.enable")
    return words


def test_a_browser_has_nothing_to_say(page: Page, said: list[str]) -> None:
    answer = page.goto(f"https://{NAME}/", wait_until="networkidle")
    assert answer
    assert (answer.status, page.url) == (200, f"https://{NAME}/")
    assert page.evaluate("isSecureContext") is True
    assert page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    security: Any = answer.security_details()
    assert (security["protocol"], security["issuer"]) == ("TLS 1.3", "Test Authority")
    assert page.evaluate("[...document.images].map(picture => picture.naturalWidth > 0)") == [True]
    assert "answered in" in page.locator("#answer").inner_text()
    page.get_by_role("button").click()
    page.get_by_text("Worker").and_(page.locator("#answer")).wait_for()
    assert said == []
    PICTURE.parent.mkdir(exist_ok=True)
    page.screenshot(path=PICTURE)


def test_it_would_say_what_is_blocked(page: Page, said: list[str]) -> None:
    """An empty list means something only because a fault is heard."""
    page.goto(f"https://{NAME}/")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: '1'}))")
    with page.expect_console_message(lambda message: "404" in message.text):
        page.evaluate("fetch('/nothing')")
    for words in ("error: Executing inline script violates", "issue: ContentSecurityPolicyIssue", "/nothing: 404"):
        assert words in "\n".join(said)


def test_http_leads_to_https(page: Page, said: list[str]) -> None:
    assert redirect(page, "/?a=b") == (301, f"https://{NAME}/?a=b")
    # Because of HSTS the browser leads itself there from now on, and answers in the server's place.
    assert redirect(page, "/") == (307, f"https://{NAME}/")
    assert said == []


def redirect(page: Page, path: str) -> tuple[int, str]:
    """By which status a request by plain HTTP is led on, and where it ends."""
    answer = page.goto(f"http://{NAME}{path}", wait_until="networkidle")
    assert answer
    assert answer.request.redirected_from
    led = answer.request.redirected_from.response()
    assert led
    return led.status, page.url


def test_a_browser_that_knows_no_such_authority_refuses(start: Callable[..., Browser]) -> None:
    browser = start()
    with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
        browser.new_page().goto(f"https://{NAME}/", timeout=PATIENCE_MS)
    browser.close()


# --- testssl.sh ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def findings(site: Server, authority: Authority) -> dict[str, dict[str, str]]:
    """What testssl.sh finds by id, asked on the server itself: there its release is the same wherever this runs."""
    site.sh("apt-get install -qqy --no-install-recommends testssl.sh >/dev/null 2>&1")
    site.sh(f"cat >/root/ca.pem <<'PEM'\n{(authority.folder / 'ca.pem').read_text()}PEM")
    words = "--warnings=batch --nodns=min --ip=127.0.0.1 --add-ca=/root/ca.pem"
    output = "--quiet --color=0 --overwrite --jsonfile=/root/testssl.json"
    # 1 is one test that it couldn't make, which its report names.
    site.sh(f"testssl {words} {output} https://{NAME}/ || [ $? -eq 1 ]")
    return {item["id"]: item for item in json.loads(site.sh("cat /root/testssl.json"))}


def test_testssl_finds_no_fault(findings: dict[str, dict[str, str]]) -> None:
    faults = {name: item for name, item in findings.items() if item["severity"] not in HARMLESS}
    assert faults.keys() - NOT_ALWAYS == EXCUSED.keys(), faults


def test_testssl_gives_its_best_grade(findings: dict[str, dict[str, str]]) -> None:
    print(f"\ntestssl.sh: grade {findings['overall_grade']['finding']}, score {findings['final_score']['finding']}")
    assert findings["overall_grade"]["finding"] == "A+"
