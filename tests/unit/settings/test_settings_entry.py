"""Where a server enters the app, read without running it: what can't work is refused before any host is touched."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest

from settings import HASH, Workshop, app

FLASK = "from flask import Flask\n"
FACTORY = "def create_app(config=None):\n    ...\n"

# The code of flask_wsgi.py, how `callable` names the app in it, and what is told after "has 'callable': ".
WRONG: dict[str, tuple[str, str, str]] = {
    "a factory without parentheses": (
        FACTORY,
        "create_app",
        "'create_app' is a function; write create_app(), if it returns the Flask object",
    ),
    "one with two optional arguments": (
        "def create_app(config=None, debug=False): ...",
        "create_app",
        "'create_app' is a function; write create_app(), if it returns the Flask object",
    ),
    "one that needs a value": (
        "def create_app(kind): ...",
        "create_app",
        "'create_app' is a function that needs kind; write create_app(…) with values, if it returns the Flask object",
    ),
    "one that needs a value, and takes another": (
        "def create_app(kind, debug=False): ...",
        "create_app",
        "'create_app' is a function that needs kind; write create_app(…) with values, if it returns the Flask object",
    ),
    "one that needs three": (
        "def create_app(a, b, *, c): ...",
        "create_app",
        (
            "'create_app' is a function that needs a, b, c; write create_app(…) with values, "
            "if it returns the Flask object"
        ),
    ),
    "a name that isn't there": (
        f"{FLASK}app = Flask(__name__)\nclient = 1\n",
        "ap",
        "'ap', but 'flask_wsgi' has no such name; did you mean 'app'? Known names: Flask, app",
    ),
    "the default where there is a factory": (
        f"import os\n{FACTORY}",
        "app",
        "'app', but 'flask_wsgi' has no such name. Known names: create_app()",
    ),
    "a name in nothing but a comment": (
        "# app = 1\n",
        "app",
        "'app', but 'flask_wsgi' has no such name. Known names: none",
    ),
    "a name inside a function": (
        "def create_app():\n    app = 1\n    return app\n",
        "app",
        "'app', but 'flask_wsgi' has no such name. Known names: create_app()",
    ),
    "a name that only `python flask_wsgi.py` makes": (
        f"{FACTORY}if __name__ == '__main__':\n    app = create_app()\n    app.run()\n",
        "app",
        "'app', but 'flask_wsgi' has no such name. Known names: create_app()",
    ),
    "a bare annotation": ("app: Flask\n", "app", "'app', but 'flask_wsgi' has no such name. Known names: none"),
    "many names": (
        "".join(f"def f{number}(x): ...\n" for number in range(30)),
        "zebra",
        (
            "'zebra', but 'flask_wsgi' has no such name. Known names: "
            f"{', '.join(f'f{number}' for number in range(12))}, …"
        ),
    ),
    "None": ("app = None\n", "app", "'app' is None; name the Flask object, or the function that makes it"),
    "a text": ("app = 'x'\n", "app", "'app' is a constant; name the Flask object, or the function that makes it"),
    "a dictionary": (
        "app = {}\n",
        "app",
        "'app' is a dictionary; name the Flask object, or the function that makes it",
    ),
    "a module": (
        "import json as app\n",
        "app",
        "'app' is a module; name the Flask object in it (callable: app.app)",
    ),
    "an async function": (
        "async def app(scope, receive, send): ...\n",
        "app",
        "'app' is an async function, and uWSGI speaks WSGI; name a Flask object",
    ),
    "a Flask object that is called": (
        f"{FLASK}app = Flask(__name__)\n",
        "app()",
        "'app' is a Flask object already; write it without parentheses (callable: app)",
    ),
    "Flask's own server": (
        f"{FLASK}app = Flask(__name__)\n",
        "app.run()",
        "'app.run()' would start Flask's own server; name the Flask object (callable: app)",
    ),
    "Flask's class": (
        FLASK,
        "Flask",
        "'Flask' is Flask's class; name an object that was made of it, or the function that makes one",
    ),
    "the module again": (
        "app = made()\n",
        "flask_wsgi.app",
        "'flask_wsgi.app' begins with a module; write 'module: flask_wsgi' and 'callable: app'",
    ),
    "too many arguments": (
        FACTORY,
        "create_app(1, 2)",
        "the function 'create_app' takes at most 1 arguments by position, not 2",
    ),
    "an argument that it doesn't take": (
        FACTORY,
        "create_app(debug=True)",
        "the function 'create_app' takes no argument 'debug'",
    ),
    "an argument too few": (
        "def create_app(kind, *, debug): ...",
        "create_app('x')",
        "the function 'create_app' needs a value for 'debug'",
    ),
    "a wrong default that something else may be": (
        "if 1:\n    def app(): ...\nelse:\n    app = None\n",
        "app",
        "'app' is a function; write app(), if it returns the Flask object",
    ),
    "the last of two": (
        "app = make()\ndef app(): ...\n",
        "app",
        "'app' is a function; write app(), if it returns the Flask object",
    ),
}

# What may be right, and is for the host to judge.
GOOD: dict[str, tuple[str, str]] = {
    "Flask": (f"{FLASK}app = Flask(__name__)\n", "app"),
    "its WSGI app": (f"{FLASK}app = Flask(__name__)\n", "app.wsgi_app"),
    "an object made of it": (FLASK, "Flask('shop')"),
    "an annotated one": (f"{FLASK}app: Flask = Flask(__name__)\n", "app"),
    "a called factory": (FACTORY, "create_app()"),
    "with an argument": (FACTORY, "create_app('production')"),
    "by name": (FACTORY, "create_app(config={'a': [1, None, -2.5]})"),
    "any arguments": ("def create_app(*a, **b): ...", "create_app(1, 2, c=3)"),
    "plain WSGI": ("def app(environ, start_response): ...", "app"),
    "plain WSGI by other names": ("def application(env, start, more=None): ...", "application"),
    "WSGI that takes anything": ("def app(*arguments): ...", "app"),
    "a class": ("class App:\n    def __call__(self, environ, start_response): ...\n", "App"),
    "an object of a class": ("app = Application()\n", "app"),
    "something imported": ("from somewhere import app", "app"),
    "something imported by another name": ("from somewhere import x as app", "app"),
    "a star": ("from somewhere import *", "app"),
    "names made when they are asked for": ("def __getattr__(name): ...", "app"),
    "names made by hand": ("globals()['app'] = 1", "app"),
    "a module that replaces itself": ("import sys\nsys.modules[__name__] = 1", "app"),
    "a decorated function": ("@wsgi\ndef app(): ...", "app"),
    "a function that a condition replaces": ("def app(): ...\nif DEBUG:\n    app = make()\n", "app"),
    "one that fails over": ("try:\n    from fast import app\nexcept ImportError:\n    app = None\n", "app"),
    "a name from a loop": ("for app in apps(): ...", "app"),
    "a name from a with": ("with making() as app: ...", "app"),
    "a name from a walrus": ("print(app := make())", "app"),
    "one of several targets": ("app, other = make()", "app"),
    "several targets": ("application = app = make()", "app"),
    "a global of a function": ("def start():\n    global app\n    app = make()\nstart()\n", "app"),
    "inside a case": ("match x:\n    case 1:\n        app = make()\n", "app"),
    "an attribute of an object": ("web = make()", "web.app"),
    "an attribute of what a factory is on": ("class web: ...", "web.create_app('x')"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cant_be_the_app(workshop: Workshop, what: str) -> None:
    code, named, told = WRONG[what]
    workshop.write("shop/flask_wsgi.py", code)
    assert workshop.problem(app(callable=named)) == f"web_apps: 'shop' has 'callable': {told}"


@pytest.mark.parametrize("what", GOOD)
def test_what_may_be(workshop: Workshop, what: str) -> None:
    code, named = GOOD[what]
    workshop.write("shop/flask_wsgi.py", code)
    assert workshop.problems(app(callable=named)) == []


# The files of a source, module and callable, and how the problem ends; "" if there is none.
FOLLOWED: dict[str, tuple[dict[str, str], str, str, str]] = {
    "a factory from another module": (
        {"wsgi.py": "from shop import create_app", "shop/__init__.py": FACTORY},
        "wsgi", "create_app", "'create_app' is a function; write create_app(), if it returns the Flask object",
    ),
    "through two, by relative imports": (
        {"shop/wsgi.py": "from . import make as app", "shop/__init__.py": "from .factory import create_app as make",
         "shop/factory.py": FACTORY},
        "shop.wsgi", "app", "'app' is a function; write app(), if it returns the Flask object",
    ),
    "from the folder above": (
        {"shop/a/wsgi.py": "from ..factory import create_app as app", "shop/factory.py": FACTORY},
        "shop.a.wsgi", "app", "'app' is a function; write app(), if it returns the Flask object",
    ),
    "a submodule in place of the app in it": (
        {"shop/__init__.py": "", "shop/app.py": "app = make()"},
        "shop", "app", "'app' is a module; name the Flask object in it (callable: app.app)",
    ),
    "the app in a submodule": ({"shop/__init__.py": "", "shop/web.py": "app = make()"}, "shop", "web.app", ""),
    "nothing in a submodule": (
        {"shop/__init__.py": "", "shop/web.py": "def create_app(): ..."},
        "shop", "web.app", "'app', but 'shop.web' has no such name. Known names: create_app()",
    ),
    "a name that hides a submodule": (
        {"shop/__init__.py": "from .app import app", "shop/app.py": "app = make()"}, "shop", "app", "",
    ),
    "a circle": ({"a.py": "from b import app", "b.py": "from a import app"}, "a", "app", ""),
    "a package of many modules": ({"shop/web.py": "app = make()"}, "shop.web", "app", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", FOLLOWED)
def test_imports_are_followed_inside_the_source(workshop: Workshop, what: str) -> None:
    files, module, named, told = FOLLOWED[what]
    for path, code in files.items():
        workshop.write(f"shop/{path}", code)
    found = workshop.problems(app(module=module, callable=named))
    assert found == ([f"web_apps: 'shop' has 'callable': {told}"] if told else [])


HIDES = "; mend the import, or rename the file if a package is meant"


@pytest.mark.parametrize(
    ("files", "module", "told"),
    [
        (
            {"flask.py": "", "flask_wsgi.py": f"{FLASK}app = Flask(__name__)\n"},
            "flask_wsgi",
            "'flask_wsgi' imports 'Flask' from 'flask', but flask.py of the source has no such name",
        ),
        (
            {"flask.py": f"{FLASK}app = Flask(__name__)\n"},
            "flask",
            "'flask' imports 'Flask' from 'flask', but flask.py of the source has no such name",
        ),
        (
            {"shop/__init__.py": "from .web import ap as app", "shop/web.py": "app = made()"},
            "shop",
            "'shop' imports 'ap' from 'shop.web', but web.py of the source has no such name",
        ),
    ],
)
def test_an_import_of_what_isnt_there(workshop: Workshop, files: dict[str, str], module: str, told: str) -> None:
    for path, code in files.items():
        workshop.write(f"shop/{path}", code)
    assert workshop.problem(app(module=module)) == f"web_apps: 'shop' has 'module': {told}{HIDES}"


@pytest.mark.parametrize(
    ("path", "code", "imports"),
    [
        ("flask.py", "class Flask: ...", "from flask import Flask"),
        ("flask.py", "from elsewhere import *", "from flask import Flask"),
        ("flask.py", "", "try:\n    from flask import Flask\nexcept ImportError: ..."),
        ("flask.py", "", "from flask import __name__"),
        ("flask/Flask.py", "", "from flask import Flask"),
        ("shop/sub/web.py", "", "from shop import sub"),
        ("shop/fast.cpython-311-x86_64-linux-gnu.so", "", "from shop import fast"),
        ("flask.py", "", "from flask import *"),
        # Python has it long before it looks here.
        ("os.py", "", "from os import environ"),
    ],
)
def test_an_import_that_may_succeed(workshop: Workshop, path: str, code: str, imports: str) -> None:
    workshop.write("shop/shop/__init__.py", "")
    workshop.write(f"shop/{path}", code)
    workshop.write("shop/flask_wsgi.py", f"{imports}\napp = made()\n")
    assert workshop.problems(app()) == []


def test_the_notation_of_others_is_told_in_ours(workshop: Workshop) -> None:
    assert workshop.problem(app(callable="web:create_app()")) == (
        "web_apps: 'shop' has 'callable': \"web:create_app()\", but it names a module too; write 'module: web' and "
        "'callable: create_app()'"
    )


# --- The folder ---------------------------------------------------------------------------------------------------


def test_a_module_in_another_folder_is_found_with_chdir(workshop: Workshop) -> None:
    workshop.write("shop/src/shop/web.py", "app = made()\n")
    told = workshop.problem(app(module="shop.web"))
    assert told == (
        f"web_apps: 'shop' has 'module': 'shop.web', but there is no such module in '{workshop.source}'; "
        "it is in 'src': set 'chdir: src'"
    )
    assert workshop.problems(app(module="shop.web", chdir="src")) == []


@pytest.mark.parametrize("written", [".", "./", ""])
def test_the_source_itself_is_no_other_folder(workshop: Workshop, written: str) -> None:
    assert workshop.id(app(chdir=written)) == workshop.id()


def test_the_nearest_folder_is_named(workshop: Workshop) -> None:
    for path in ("a/b/web.py", "z/web.py", "a/b/c/web.py"):
        workshop.write(f"shop/{path}", "app = made()\n")
    assert workshop.problem(app(module="web")).endswith("it is in 'z': set 'chdir: z'")


def test_a_folder_that_isnt_there(workshop: Workshop) -> None:
    workshop.write("shop/src/web.py", "app = made()\n")
    assert workshop.problem(app(module="web", chdir="scr")) == (
        f"web_apps: 'shop' has 'chdir': there are no files in '{workshop.source}/scr'; did you mean 'src'? "
        "Known folders: src, static"
    )


def test_requirements_and_static_files_stay_relative_to_the_source(workshop: Workshop) -> None:
    workshop.write("shop/src/web.py", "app = made()\n")
    assert workshop.problems(app(module="web", chdir="src", static_folder="static")) == []
    assert "has 'requirements'" in workshop.problem(app(module="web", chdir="src", requirements="src/r.txt"))


# --- What can't be read -------------------------------------------------------------------------------------------

# What no Python takes that a server may have, whatever this machine's is.
BROKEN = (
    "x = (\napp = 1\n",
    "def app(:\n    ...\n",
    "x = 'a\n",
    "x = f'{a}'\ny = f'{b!r:>{c}}' +\n",
    'x = """a\n',
    "if a:\nx = 1\n",
    "if a:\n    x = 1\n  y = 2\n",
    "print 'x'\n",
    "type = 1\nclass A(B[int]:\n",
)
# What the newest takes.
NEWER = (
    """x = f'{a['b']}'\n""",
    "x = f'{\n1\n}'\n",
    """x = rf'{'\\n'}'\n""",
    'x = f"""{\n1 # why\n}"""\n',
    "type A = int\n",
    "def f[T](x: T) -> T: ...\n",
    "class A[T = int]: ...\n",
)


@pytest.mark.parametrize("code", BROKEN)
def test_what_no_python_takes_is_told_with_its_place(workshop: Workshop, code: str) -> None:
    workshop.write("shop/flask_wsgi.py", code)
    told = workshop.problem(app())
    assert re.match("web_apps: 'shop' has 'module': 'flask_wsgi' isn't Python: flask_wsgi.py line [1-4]: ", told)


@pytest.mark.parametrize("code", NEWER)
def test_what_an_older_python_doesnt_take_may_be_newer(workshop: Workshop, code: str) -> None:
    workshop.write("shop/flask_wsgi.py", f"{code}app = made()\n")
    assert workshop.problems(app()) == []


@pytest.mark.parametrize("code", NEWER)
def test_a_module_that_cant_be_read_may_have_any_name(workshop: Workshop, code: str) -> None:
    workshop.write("shop/flask_wsgi.py", "from shop import app\n")
    workshop.write("shop/shop/__init__.py", f"from .app import app\n{code}")
    workshop.write("shop/shop/app.py", "app = made()\n")
    assert workshop.problems(app()) == workshop.problems(app(module="shop")) == []


def test_a_star_may_bring_the_name_of_a_submodule(workshop: Workshop) -> None:
    workshop.write("shop/shop/__init__.py", "from .app import *\n")
    workshop.write("shop/shop/app.py", "app = made()\n")
    assert workshop.problems(app(module="shop")) == []


def test_an_app_may_run_on_a_newer_python_than_ours(workshop: Workshop) -> None:
    workshop.write("shop/flask_wsgi.py", BROKEN[0])
    workshop.write("shop/requirements.txt", f"pyuwsgi==2.0.30 {HASH}\n")
    assert workshop.problems(app(python="3.29")) == []
    assert len(workshop.problems(app(python="3.11"))) == 1


@pytest.mark.parametrize("code", ["x = '\\d'\napp = made()\n", "# -*- coding: latin-1 -*-\napp = made()\n"])
def test_pythons_warnings_are_not_ours(workshop: Workshop, code: str) -> None:
    workshop.write("shop/flask_wsgi.py", code)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert workshop.problems(app()) == []
        assert "no such name" in workshop.problem(app(callable="make('\\d')"))


def test_another_encoding_is_pythons_own_affair(workshop: Workshop) -> None:
    (workshop.source / "flask_wsgi.py").write_bytes(
        "# -*- coding: latin-1 -*-\nx = 'größe'\napp = m()".encode("latin-1")
    )
    assert workshop.problems(app()) == []


def test_a_deep_expression_ends_in_no_traceback(workshop: Workshop) -> None:
    deep: list[Any] = ["(" * 5000, "-" * 20000 + "1", "a" + ".a" * 20000, f"make({'[' * 3000})"]
    for named in deep:
        assert "callable" in workshop.problems(app(callable=named))[0]
