"""What a requirements file may say, which others it leads to, and when it is a lock itself."""

from __future__ import annotations

import pytest

from settings import HASH, Workshop, app

A_FOLDER = (
    "leads to a folder or file on this machine; name it as a package of an index, or as git+https://…, or move its "
    "code into the source"
)
ITSELF = "is the source itself, which is found without being installed; leave the line out"


def problem(workshop: Workshop, text: str) -> str:
    workshop.write("shop/requirements.txt", text)
    return workshop.problem(app()).removeprefix("web_apps: 'shop' has 'requirements': ")


@pytest.mark.parametrize(
    "line",
    [
        "-e ./lib",
        "--editable ./lib",
        "--ed=./lib",
        "./lib",
        "/srv/lib",
        "vendor/lib",
        "vendor/lib-1.0.whl",
        "lib@./lib",
        "lib @ file:/srv/lib",
        "./lib/b.whl --hash=sha256:00",
    ],
)
def test_no_folder_or_file_of_this_machine_is_installed(workshop: Workshop, line: str) -> None:
    assert problem(workshop, f"# all\n  {line}  # why\n") == f"'{line}' {A_FOLDER}"


@pytest.mark.parametrize("line", ["-e .", "-e.", "--editable=.", ".", "./", "-e .[web]", ".[web]"])
def test_the_source_itself_isnt_installed(workshop: Workshop, line: str) -> None:
    assert problem(workshop, f"{line}\n") == f"'{line}' {ITSELF}"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("file:///srv/lib", "file:…"),
        ("lib @ file:///srv/lib", "lib @ file:…"),
        ("lib @ git+file:///srv/lib", "lib @ git+file:…"),
    ],
)
def test_so_is_what_a_url_of_this_machine_leads_to(workshop: Workshop, line: str, shown: str) -> None:
    assert problem(workshop, line) == f"'{shown}' {A_FOLDER}"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("-f ./wheels", "-f ./wheels"),
        ("-f./wheels", "-f./wheels"),
        ("--find-links=wheels", "--find-links=wheels"),
        ("--f=wheels", "--f=wheels"),
        ("--no-index --find-links https://u:hunter2@packages.test/", "--no-index --find-links https:…"),
    ],
)
def test_packages_come_from_an_index(workshop: Workshop, line: str, shown: str) -> None:
    assert problem(workshop, f"{line}\n") == (
        f"'{shown}' leads to packages elsewhere; set PIP_FIND_LINKS in 'web_build_environment' instead"
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("--index-url https://u:hunter2@packages.test/simple", "--index-url https:…"),
        ("-i https://hunter2@packages.test/simple", "-i https:…"),
        ("--extra-index-url=https://:hunter2@packages.test/simple", "--extra-index-url=https:…"),
        ("a @ https://u:hunter2@packages.test/a.whl --hash=sha256:00", "a @ https:… --hash=sha256:00"),
        ("https://u:hunter2@packages.test/a.whl --hash=sha256:00", "https:… --hash=sha256:00"),
        ("a @ git+https://hunter2@git.test/a.git --hash=sha256:00", "a @ git+https:… --hash=sha256:00"),
        ("-i https://${USER}:hunter2@packages.test/simple", "-i https:…"),
    ],
)
def test_no_password_stands_in_requirements(workshop: Workshop, line: str, shown: str) -> None:
    assert problem(workshop, f"{line}\n") == (
        f"'{shown}' holds a user or password; write ${{NAME}} instead, and set NAME in 'web_build_environment'"
    )


@pytest.mark.parametrize("option", ["-r ", "-r", "--requirement ", "--requirem=", "-c ", "--c ", "--pre -r "])
def test_a_file_that_is_led_to_is_inside_the_source(workshop: Workshop, option: str) -> None:
    workshop.write("outside.txt", "flask\n")
    for target in ("../outside.txt", str(workshop.folder / "outside.txt")):
        told = problem(workshop, f"{option}{target}\n")
        assert told == f"'{option}{target}' in 'requirements.txt' leads out of the source; move the file into it"
    told = problem(workshop, f"{option}gone.txt\n")
    assert told == f"'{option}gone.txt' in 'requirements.txt' leads to a file that isn't there; mend the line"


def test_nor_is_it_elsewhere(workshop: Workshop) -> None:
    told = problem(workshop, "-r https://packages.test/all.txt")
    assert told == "'-r https:…' in 'requirements.txt' leads out of the source; move the file into it"
    (workshop.source / "link.txt").symlink_to("/etc/hostname")
    workshop.write("shop/requirements.txt", "-r link.txt\n")
    assert any("'-r link.txt' in 'requirements.txt' leads out" in line for line in workshop.problems(app()))


def test_what_a_file_that_is_led_to_says_counts_too(workshop: Workshop) -> None:
    workshop.write("shop/reqs/a.txt", "-r ../requirements.txt\n-e ./lib\n")
    assert problem(workshop, "-r reqs/a.txt\n") == f"'-e ./lib' {A_FOLDER}"


def test_the_requirements_are_there(workshop: Workshop) -> None:
    assert workshop.problem(app(requirements="req.txt")) == (
        f"web_apps: 'shop' has 'requirements': there is no file 'req.txt' in '{workshop.source}'; "
        "an empty file is enough if the app needs nothing"
    )
    (workshop.source / "requirements.txt").unlink()
    assert workshop.problem(app()) == (
        "web_apps: 'shop' has 'requirements': there is no file 'requirements.txt' and no pyproject.toml in "
        f"'{workshop.source}'; an empty file is enough if the app needs nothing"
    )


COMMIT = "a" * 40


LONG = (
    "--index-url https://example.com/simple\n-i x\n--no-binary :all:\n--require-hashes\n--extra-index-url y\n"
    "--index-url https://${USER}:${TOKEN}@example.com/simple\n-i https://${TOKEN}@e.test\n"
    f"a==1 \\\n  {HASH} \\\n  --hash=sha512:{'F' * 128}\nf==1 \\\r\n  {HASH}\r\n\n"
    f"c==1 --config-settings x=y {HASH}\n"
    f"e==1 ; platform_machine == 'x86_64' {HASH}\n"
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        LONG,
        f"a==1 {HASH}\nlib @ git+https://git.test/lib.git@{COMMIT}\n",
        f"lib @ git+ssh://git@git.test/lib.git@{COMMIT}#subdirectory=x ; python_version > '3'\n",
    ],
)
def test_a_file_with_every_hash_is_taken_byte_for_byte(workshop: Workshop, text: str) -> None:
    (workshop.source / "requirements.txt").write_bytes(text.encode())
    assert workshop.item()["release"]["locked"] == text
    assert not (workshop.folder / "locks").exists()


def test_a_remark_in_another_encoding_is_no_problem(workshop: Workshop) -> None:
    (workshop.source / "requirements.txt").write_bytes("# Grüße\n".encode("latin-1"))
    assert workshop.problems(app()) == []


def test_a_key_that_is_gone_says_what_to_do(workshop: Workshop) -> None:
    assert workshop.problem(app(require_hashes=False)) == (
        "web_apps: 'shop' has 'require_hashes', which is gone: requirements without hashes are locked by the run "
        "itself; leave the key out"
    )


def test_extras_are_for_a_pyproject(workshop: Workshop) -> None:
    assert workshop.problem(app(extras=["web"])) == (
        "web_apps: 'shop' has 'extras': a requirements file has none; they are for pyproject.toml"
    )


def test_a_file_that_may_be_meant_is_named(workshop: Workshop) -> None:
    assert workshop.problem(app(requirements="requirments.txt")).endswith("; did you mean 'requirements.txt'?")


@pytest.mark.parametrize("cut", ["sha256:dead", f"sha256:{'0' * 63}", f"sha256:{'g' * 64}", f"md5:{'0' * 32}", ""])
def test_a_hash_that_is_none_is_told(workshop: Workshop, cut: str) -> None:
    assert problem(workshop, f"a==1 {HASH} --hash={cut}\n") == (
        f"'a==1' has '--hash={cut}', which is no whole hash; copy it anew"
    )
