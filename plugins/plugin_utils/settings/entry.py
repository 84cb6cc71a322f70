"""Where a WSGI server enters an app, `callable`, read without running anything: `app`, `web.app`, `create_app("x")`."""

from __future__ import annotations

import ast
import dataclasses
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.names import Bound, Call, Module, bound_names
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.syntax import NEWEST, no_server_takes
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import LISTED, nearest

SHAPE = "must be a name or a call with plain values (app, web.app, create_app(), create_app('production', debug=False))"


@dataclasses.dataclass(frozen=True)
class Entry:
    """`path` are the names between the dots, `call` the arguments, None if nothing is called.

    `text` is the whole as Python writes it, on one line.
    """

    path: tuple[str, ...]
    call: Call | None
    text: str


def entry_of(written: str) -> Entry:
    """What `callable` says. Raises WrongValue."""
    try:
        whole = _parsed(written, "eval").body
        called = whole if isinstance(whole, ast.Call) else None
        path = tuple(_path(called.func if called else whole))
        call = _call(called) if called else None
        text = ast.unparse(whole)
        # A remark would get lost, and so would a line.
        if (text.encode() and written.encode()[whole.end_col_offset :].strip()) or "\n" in written:
            raise ValueError
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise WrongValue(SHAPE) from None
    return Entry(path, call, text)


def entry(value: Any) -> str:
    """The rule of the key: the text as it was written."""
    if not isinstance(value, str):
        raise WrongValue(SHAPE)
    if re.search(r"://[^/\s]*@", value):
        raise WrongValue("must not hold a password; make it a secret, which the function reads from os.environ")
    if found := re.fullmatch(r"([\w.]+):([\w.]+(\(.*\))?)", value):
        raise WrongValue(f"names a module too; write 'module: {found[1]}' and 'callable: {found[2]}'")
    entry_of(value)
    return str(value)


def _path(node: ast.expr) -> Iterator[str]:
    """The names of `a.b.c`. Raises ValueError."""
    if isinstance(node, ast.Attribute):
        yield from _path(node.value)
        if not node.attr.isascii():
            raise ValueError
        yield node.attr
    elif isinstance(node, ast.Name) and node.id.isascii():
        yield node.id
    else:
        raise ValueError


def _call(node: ast.Call) -> Call:
    """The arguments, if all are plain values. Raises ValueError."""
    for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
        ast.literal_eval(argument)
    names = [keyword.arg or "" for keyword in node.keywords]
    if "" in names or len({*names}) < len(names):
        raise ValueError
    return Call(len(node.args), tuple(names))


def _parsed(text: str | bytes, mode: str) -> Any:
    with warnings.catch_warnings():
        # What Python thinks of the style is no business of ours.
        warnings.simplefilter("ignore")
        return ast.parse(text, mode=mode)


# --- What the source says of it -------------------------------------------------------------------------------------


def entry_faults(
    module: str, written: str, chdir: str, folder: Path, files: Sequence[str], python: str = ""
) -> Iterator[str]:
    """What is wrong with `module`, `callable` and `chdir`, as the ends of sentences that begin with the app.

    `files` are the paths inside the source, `python` is the version that the app asks for. What can't be known without
    running the code passes: the host will see.
    """
    home = f"{chdir}/" if chdir else ""
    if home and not any(path.startswith(home) for path in files):
        folders = sorted({str(Path(path).parent) for path in files} - {"."})
        yield f"has 'chdir': there are no files in {str(folder / chdir)!r}{nearest(chdir, folders, 'folders', LISTED)}"
        return
    inside = {
        path.removeprefix(home): folder / path for path in files if path.startswith(home) and path.endswith(".py")
    }
    if _file_of(module, inside) is None and (kept := _kept_at_home(module, folder / chdir)):
        remedy = f"write '!{home}{kept}' into .deployignore, or let none of these name it"
        yield f"has 'module': {module!r}, which stays at home by .gitignore, .deployignore or 'exclude'; {remedy}"
        return
    if _file_of(module, inside) is None:
        yield f"has 'module': {module!r}, but there is no such module in {str(folder / chdir)!r}{_where(module, files)}"
        return
    try:
        source = _Source(inside)
        if hidden := source.hidden(module):
            yield f"has 'module': {hidden}"
            return
        fault = source.fault(module, entry_of(written))
    except _Broken as error:
        # What the app asks for may be newer than all that are known here.
        if _numbers(python) <= max(NEWEST, sys.version_info[:2]):
            yield f"has 'module': {error}"
        return
    except (OSError, RecursionError, ValueError):
        # Unreadable files are named elsewhere; the rest is for the host's Python to judge.
        return
    if fault:
        yield f"has 'callable': {fault}"


def _kept_at_home(module: str, folder: Path) -> str:
    """The file of a module that is in the folder, though no release would hold it; "" if there is none."""
    path = module.replace(".", "/")
    return next((file for file in (f"{path}.py", f"{path}/__init__.py") if (folder / file).is_file()), "")


def _where(module: str, files: Sequence[str]) -> str:
    """Which folder the module is in, or which module may be meant."""
    path = module.replace(".", "/")
    ends = re.compile(rf"(.+)/{re.escape(path)}(\.py|/__init__\.py)")
    if homes := sorted(
        (found[1] for name in files if (found := ends.fullmatch(name))), key=lambda it: (it.count("/"), it)
    ):
        return f"; it is in {homes[0]!r}: set 'chdir: {homes[0]}'"
    modules = [name.removesuffix(".py") for name in files if name.endswith(".py") and "/" not in name]
    packages = [name.removesuffix("/__init__.py") for name in files if re.fullmatch(r"[^/]+/__init__\.py", name)]
    told = nearest(module, [*modules, *packages], "modules", LISTED)
    if "." not in module or module.partition(".")[0] in (*modules, *packages):
        return told
    return f"{told}; what pip installs is imported by a module of the source: 'from {module} import …'"


def _file_of(module: str, files: Mapping[str, Path]) -> Path | None:
    path = module.replace(".", "/")
    # A package is taken before a module of the same name.
    return files.get(f"{path}/__init__.py") or files.get(f"{path}.py")


def _is_submodule(path: Path, name: str) -> bool:
    """Whether a package may have a module of this name beside its file, be it a folder or compiled."""
    return path.name == "__init__.py" and any(one.name.partition(".")[0] == name for one in path.parent.iterdir())


def _numbers(version: str) -> tuple[int, ...]:
    """`3.12` as a tuple; () for none."""
    return tuple(map(int, version.split("."))) if version else ()


class _Broken(Exception):
    """No Python takes a file: where and why."""


class _Source:
    """The modules of a source, of which those are read that the entry leads to."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = files

    def fault(self, module: str, wanted: Entry) -> str:
        """Why no WSGI server could use the entry; "" if it may be right."""
        where = module
        for number, name in enumerate(wanted.path):
            names = self._read(where)
            found = names.of(name)
            submodule = f"{where}.{name}"
            if not found and names.is_open:
                return ""
            if not found and _file_of(submodule, self.files):
                found = [Bound("module", module=submodule)]
            if not found:
                return self._missing(where, name, names) if number else self._elsewhere(module, wanted, names)
            found = [self._followed(one, {(where, name)}) for one in found]
            said = ".".join(wanted.path[: number + 1])
            is_last = number == len(wanted.path) - 1
            if not is_last and found[0].kind == "flask" and wanted.path[number + 1] == "run":
                return f"{wanted.text!r} would start Flask's own server; name the Flask object (callable: {said})"
            if not is_last:
                if len(found) != 1 or found[0].kind != "module" or not _file_of(found[0].module, self.files):
                    return ""
                where = found[0].module
                continue
            faults = [one.fault(said, wanted.call) for one in found]
            # What depends on a condition is right if any of it is.
            return faults[0] if all(faults) else ""
        return ""

    def hidden(self, module: str) -> str:
        """Which import of a module can't succeed, as the source itself has a module of that name; "" if none is known.

        One of Python's own may have been imported long before.
        """
        for other, name in self._read(module).needs:
            path = _file_of(other, self.files)
            if path is None or other in sys.stdlib_module_names or _is_submodule(path, name) or name.startswith("__"):
                continue
            names = self._read(other)
            found = [one for one in names.of(name) if (one.kind, one.module, one.name) != ("import", other, name)]
            if name != "*" and not found and not names.is_open:
                said = f"{module!r} imports {name!r} from {other!r}, but {path.name} of the source has no such name"
                return f"{said}; mend the import, or rename the file if a package is meant"
        return ""

    def _read(self, module: str) -> Module:
        path = _file_of(module, self.files)
        if path is None:
            return Module({}, is_open=True)
        content = path.read_bytes()
        try:
            return bound_names(_parsed(content, "exec"), module, path.name == "__init__.py")
        except SyntaxError as error:
            if not no_server_takes(content):
                return Module({}, is_open=True)
            line = f" line {error.lineno}" if error.lineno else ""
            raise _Broken(f"{module!r} isn't Python: {path.name}{line}: {error.msg}") from None

    def _followed(self, one: Bound, seen: set[tuple[str, str]]) -> Bound:
        """What a name stands for that comes from another module of the source."""
        if one.kind != "import" or (one.module, one.name) in seen:
            return one
        if _file_of(submodule := f"{one.module}.{one.name}", self.files):
            is_package = Bound("module", module=submodule)
            if _file_of(one.module, self.files) is None:
                return is_package
            names = self._read(one.module)
            return Bound("unknown") if names.is_open or names.of(one.name) else is_package
        if _file_of(one.module, self.files) is None:
            return one
        found = self._read(one.module).of(one.name)
        return self._followed(found[0], seen | {(one.module, one.name)}) if len(found) == 1 else Bound("unknown")

    def _elsewhere(self, module: str, wanted: Entry, names: Module) -> str:
        """What is told of a name that the module doesn't have: it may begin with a module of its own."""
        for length in range(len(wanted.path) - 1, 0, -1):
            if _file_of(named := ".".join(wanted.path[:length]), self.files):
                rest = wanted.text.removeprefix(f"{named}.")
                return f"{wanted.text!r} begins with a module; write 'module: {named}' and 'callable: {rest}'"
        return self._missing(module, wanted.path[0], names)

    @staticmethod
    def _missing(module: str, name: str, names: Module) -> str:
        return f"{name!r}, but {module!r} has no such name{nearest(name, names.offered(), 'names', LISTED)}"
