"""An app with a database and a queue, from its first deploy to its last worker, on Debian 12 and 13 at once."""

from __future__ import annotations

import collections
import contextlib
import http.client
import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml
from testinfra.host import Host

from load import Load
from server import PROJECT, Run, Server, report

EXAMPLE = PROJECT / "examples" / "orders"
# The same app under a name for each server, because each has a database of its own, and migrations run once for an app.
SERVERS = {"orders": "backing-one", "parcels": "backing-two"}
STRANGER = "uwsgi-flask"
DROP_IN = "/etc/systemd/system/redis-server.service.d"
# Seconds in which a worker packs what it has, and the timer finds what was lost.
PATIENCE = 30

EXPAND = '''"""gifts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("orders", sa.Column("gift", sa.Boolean(), server_default=sa.false(), nullable=False))
'''
# The first step is one that PostgreSQL takes; all of it must be undone.
BROKEN = '''"""broken."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN half_done integer")
    op.execute("ALTER TABLE orders ADD COLUMN item integer")
'''


class Shops(Server):
    """Both apps, and the sample app as their neighbour, whose own database and queue lie beside theirs."""

    def __init__(self, host: Host, folder: Path) -> None:
        super().__init__(host, folder)
        self.limit = ""
        sample = {**self.app, "source": str(PROJECT / "uwsgi-flask")}
        shutil.rmtree(self.source)
        shutil.copytree(EXAMPLE, self.source, ignore=shutil.ignore_patterns("__pycache__"))
        written = (EXAMPLE / "settings.yml").read_text()
        examples = [yaml.safe_load(written.replace("orders", name)) for name in SERVERS]
        self.shops = {name: dict(one["web_apps"][0]) for name, one in zip(SERVERS, examples, strict=True)}
        for name, shop in self.shops.items():
            shop |= {"source": str(self.source), "hosts": [SERVERS[name]]}
            shop["environment"]["LOST_AFTER"] = 5
            shop["timers"]["remind"]["calendar"] = "*:*:0/5"
        self.app = self.shops["orders"]
        self.others = [self.shops["parcels"], sample]
        self.secrets |= {name: one["web_app_secrets"][name] for name, one in zip(SERVERS, examples, strict=True)}
        self.secrets[STRANGER]["REDIS_URL"] = f"redis://{STRANGER}:of-another-app-0123456789@127.0.0.1:6379/0"
        every = [*SERVERS, STRANGER]
        self.web = {"services_postgresql": every, "services_redis": every, "web_locks": str(folder / "locks")}
        self.hosts = {
            name: host.get_host(f"ansible://{one}", ansible_inventory=host.backend.ansible_inventory)
            for name, one in SERVERS.items()
        }
        self.ports = {name: self.port + number for number, name in enumerate(SERVERS)}

    def set(self, **keys: Any) -> None:
        for shop in self.shops.values():
            shop.update(keys)

    def on(self, name: str, command: str) -> str:
        """What a command prints, run as root on the app's server. It has to succeed."""
        with self.hosts[name].sudo():
            return str(self.hosts[name].check_output(command))

    def sql(self, name: str, query: str) -> str:
        return self.on(name, f"runuser -u postgres -- psql -d {name} -At -c '{query}'")

    def release(self, name: str) -> str:
        return self.on(name, f"readlink /opt/{name}/current").rpartition("/")[2]

    def journal(self, name: str, unit: str) -> str:
        return self.on(name, f"journalctl --output=cat --unit='{name}@{unit}.service'")

    def in_app(self, name: str, command: str, app: str = "") -> Run:
        """What run.yml gives on the server of `name`."""
        given = json.dumps({"app": app or name, "command": command})
        return self.run("run.yml", f"-e{given}", f"--limit={SERVERS[name]}")

    def summary(self, name: str) -> dict[str, int]:
        _status, text = self.asked(name, "GET")
        return dict(json.loads(text))

    def asked(self, name: str, method: str, body: str = "") -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.ports[name], timeout=10)
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        try:
            connection.request(method, "/", body, {"Host": self.shops[name]["server_names"][0], **kind})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return 0, repr(error)
        finally:
            connection.close()

    def order(self, name: str) -> int:
        status, text = self.asked(name, "POST", "item=tea")
        assert status == 201, text
        return int(json.loads(text)["order"])

    @contextlib.contextmanager
    def busy(self) -> Iterator[dict[str, list[tuple[int, str]]]]:
        """Orders come to both shops, a little slower than one worker packs, while pages are read by others."""
        end = threading.Event()
        got: dict[str, list[tuple[int, str]]] = {name: [] for name in SERVERS}

        def customer(name: str) -> None:
            while not end.wait(0.13):
                got[name].append(self.asked(name, "POST", "item=tea"))

        customers = [threading.Thread(target=customer, args=(name,)) for name in SERVERS]
        for one in customers:
            one.start()
        try:
            yield got
        finally:
            end.set()
            for one in customers:
                one.join()

    @contextlib.contextmanager
    def read(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            loads = {}
            for name, port in self.ports.items():
                load = Load(f"http://127.0.0.1:{port}/", self.shops[name]["server_names"][0], 4, pause=0.1)
                loads[name] = stack.enter_context(load)
            yield
        for name, load in loads.items():
            report(f"{name}, pages read", load)


def until(what: Callable[[], bool], told: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, told()
        time.sleep(0.2)


@pytest.fixture(scope="module")
def shops(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Shops:
    """The services first, when none of the apps has an account, then the apps."""
    made = Shops(host, tmp_path_factory.mktemp("shops"))
    for name in SERVERS:
        # Debian's unit asks for a user namespace, which a container may not make.
        made.on(name, f"mkdir {DROP_IN} && printf '[Service]\\nPrivateUsers=no\\n' > {DROP_IN}/container.conf")
    done = made.run("services.yml")
    assert done.code == 0, done.output[-6000:]
    print(f"\nservices.yml: {done.seconds:.0f} s")
    done = made.deploy()
    print(f"\nthe first deploy: {done.seconds:.0f} s")
    return made


by_shop = pytest.mark.parametrize("name", SERVERS)


def all_packed(shops: Shops, name: str) -> None:
    until(lambda: shops.sql(name, "select count(*) from orders where packed_at is null") == "0", lambda: name)


def test_services_change_nothing_a_second_time(shops: Shops) -> None:
    done = shops.run("services.yml")
    assert (done.code, done.changed) == (0, 0), done.output[-3000:]
    for url in shops.secrets.values():
        assert url["REDIS_URL"].split(":")[2].partition("@")[0] not in done.output


@by_shop
def test_a_page_and_a_worker_share_the_database_and_the_queue(shops: Shops, name: str) -> None:
    number = shops.order(name)
    all_packed(shops, name)
    assert shops.summary(name) == {"taken": 1, "packed": 1}
    assert shops.journal(name, "*-worker-pack").splitlines().count(f"packed order {number}") == 1


@by_shop
def test_a_command_asks_the_database(shops: Shops, name: str) -> None:
    done = shops.in_app(name, "flask db current")
    assert done.code == 0, done.output[-3000:]
    assert "\n0001 (head)\n" in done.output


@by_shop
def test_the_timer_finds_what_the_queue_has_lost(shops: Shops, name: str) -> None:
    long_ago = "insert into orders (item, taken_at) values ($$tea$$, now() - interval $$1 hour$$)"
    shops.sql(name, long_ago)
    all_packed(shops, name)
    assert "reminded of 1 orders" in shops.journal(name, "*-job-remind").splitlines()


# --- Kept apart -------------------------------------------------------------------------------------------------------


@by_shop
def test_an_app_gets_into_its_own_and_nothing_else(shops: Shops, name: str) -> None:
    """From its own sandbox. What works for its own is tried first, or all could be refused because nothing works."""
    psql = "psql --host=/var/run/postgresql --no-psqlrc -At"
    script = "; ".join(
        (
            f"{psql} -d {STRANGER} -c 'select 42'",
            f"{psql} -d {name} -c 'select 43'",
            f"{psql} -d {name} -U web-{name} -c 'select 44'",
            f"redis-cli -u $REDIS_URL rpush {STRANGER}:mine 45",
            f"redis-cli -u $REDIS_URL lrange {name}:to-pack 0 9",
            "redis-cli -u $REDIS_URL keys '*'",
            f"redis-cli llen {STRANGER}:mine",
        )
    )
    printed = shops.in_app(name, script, STRANGER).output
    assert "\n42\n" in printed
    assert "permission denied for database" in printed
    assert "\n43\n" not in printed
    assert f'Peer authentication failed for user "web-{name}"' in printed
    assert "\n44\n" not in printed
    assert "\n1\n" in printed, "its own queue takes what it sends"
    assert len(re.findall("NOPERM", printed)) == 2
    assert "NOAUTH" in printed


# --- A release that brings a migration --------------------------------------------------------------------------------


def expand(shops: Shops) -> None:
    """A new column, which the old code knows nothing of, and code that reads it."""
    (shops.source / "migrations/versions/0002_gifts.py").write_text(EXPAND)
    models = shops.source / "models.py"
    models.write_text(models.read_text() + "    gift: Mapped[bool] = mapped_column(server_default=false())\n")
    models.write_text(models.read_text().replace("import DateTime, func", "import DateTime, false, func"))
    page = shops.source / "flask_wsgi.py"
    counted = "func.count(Order.packed_at), func.count(Order.gift)"
    new = page.read_text().replace("func.count(Order.packed_at)", counted)
    new = new.replace("taken, packed =", "taken, packed, _gifts =")
    assert counted in new
    page.write_text(new)


def test_jobs_at_work_while_a_release_goes_live_are_done_once(shops: Shops) -> None:
    before = {name: shops.release(name) for name in SERVERS}
    expand(shops)
    with shops.busy() as got, shops.read():
        shops.deploy()
        time.sleep(2)
    for name, answers in got.items():
        assert {status for status, _text in answers} == {201}, collections.Counter(answers)
        all_packed(shops, name)
        now = shops.release(name)
        assert now != before[name]
        packed = {
            one: re.findall(r"packed order (\d+)", shops.journal(name, f"{one}-worker-pack"))
            for one in (before[name], now)
        }
        counts = " and ".join(str(len(one)) for one in packed.values())
        print(f"\n{name}: {len(answers)} orders taken; the old release and the new one packed {counts}")
        assert min(len(one) for one in packed.values()) > 2
        every = [*packed[before[name]], *packed[now]]
        assert sorted(map(int, every)) == sorted(map(int, shops.sql(name, "select id from orders").split()))
        assert "0002" in shops.sql(name, "select version_num from alembic_version")


def test_a_migration_that_fails_leaves_the_schema_and_the_old_release(shops: Shops) -> None:
    before = {name: (shops.release(name), shops.sql(name, r"\d orders")) for name in SERVERS}
    broken = shops.source / "migrations/versions/0003_broken.py"
    broken.write_text(BROKEN)
    with shops.read():
        done = shops.run()
    assert done.code == 2
    broken.unlink()
    for name in SERVERS:
        assert f"{name}: release" in done.output
        assert (shops.release(name), shops.sql(name, r"\d orders")) == before[name]
        shops.order(name)
        all_packed(shops, name)
    assert 'column "item" of relation "orders" already exists' in done.output
    assert done.output.count("was refused at the step 'before'") >= len(SERVERS)


def test_a_migration_that_waits_for_a_lock_gives_up(shops: Shops) -> None:
    """Or everybody would wait behind it."""
    waiting = shops.source / "migrations/versions/0003_waiting.py"
    waiting.write_text(EXPAND.replace("0002", "0003").replace("0001", "0002").replace('"gift"', '"card"'))
    for name in SERVERS:
        hold = "begin; select count(*) from orders; select pg_sleep(600)"
        shops.on(name, f"systemd-run --unit=reader --quiet runuser -u postgres -- psql -d {name} -c '{hold}'")
    done = shops.run()
    waiting.unlink()
    for name in SERVERS:
        shops.on(name, "systemctl stop reader")
        assert shops.summary(name)["taken"] > 0
    assert done.code == 2
    assert "canceling statement due to lock timeout" in done.output


def test_a_rollback_meets_the_new_schema(shops: Shops) -> None:
    before = {name: shops.release(name) for name in SERVERS}
    for name in SERVERS:
        done = shops.run("rollback.yml", f"-eapp={name}", f"--limit={SERVERS[name]}")
        assert done.code == 0, done.output[-3000:]
        assert shops.release(name) != before[name]
        shops.order(name)
        all_packed(shops, name)
        assert shops.sql(name, "select version_num from alembic_version") == "0002"


# --- Workers and timers that go --------------------------------------------------------------------------------------


def units(shops: Shops, name: str) -> set[str]:
    """What of the app is running or waiting for its time, without the ids of releases."""
    listed = shops.on(name, f"systemctl list-units --plain --no-legend --state=active '{name}@*' | cut -d' ' -f1")
    return {re.sub("@[0-9a-f]{12}", "", unit) for unit in listed.split()}


WHOLE = {".target", ".socket", ".service", "-watch.path"}


def test_a_worker_that_dies_at_once_has_the_release_refused(shops: Shops) -> None:
    shops.deploy()
    before = {name: shops.release(name) for name in SERVERS}
    shops.set(workers={"pack": "flask pack", "dead": "sh -c 'echo no such queue >&2; exit 3'"})
    with shops.read():
        done = shops.run()
    shops.set(workers={"pack": "flask pack"})
    assert done.code == 2
    assert "no such queue" in done.output
    for name in SERVERS:
        assert f"{name}: release" in done.output
        assert shops.release(name) == before[name]
        extra = {f"{name}-worker-pack.service", f"{name}-timer-remind.timer"}
        assert units(shops, name) - {f"{name}-job-remind.service"} == {f"{name}{kind}" for kind in WHOLE} | extra
        shops.order(name)
        all_packed(shops, name)


def test_one_that_is_taken_out_is_gone(shops: Shops) -> None:
    shops.set(workers={}, timers={})
    shops.deploy()
    for name in SERVERS:
        assert units(shops, name) == {f"{name}{kind}" for kind in WHOLE}
        assert shops.summary(name)["taken"] > 0
