"""The names that a Python module has once it is imported, as far as reading it tells."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator

# Who calls one of these may make names that nobody reads in the code.
MAKE_NAMES = {"globals", "exec", "eval", "vars", "locals", "setattr", "modules"}
# environ and start_response (PEP 3333).
WSGI_ARGUMENTS = 2


@dataclasses.dataclass(frozen=True)
class Call:
    """Arguments that a function is called with: how many by position, and the names of the others."""

    positional: int
    named: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Signature:
    """What a function takes. `names` are all its arguments by name, `required` those without a default.

    `positional` is how many it takes by position, -1 for any number; `any_name` whether it takes others by name.
    """

    names: tuple[str, ...]
    required: tuple[str, ...]
    positional: int
    any_name: bool

    def takes_two(self) -> bool:
        """Whether two arguments by position could be what it waits for, as a WSGI app does."""
        if self.positional == -1:
            return len(self.required) <= WSGI_ARGUMENTS
        return self.positional >= WSGI_ARGUMENTS and (
            len(self.required) == WSGI_ARGUMENTS or self.required[:1] in (("environ",), ("env",))
        )

    def fault(self, call: Call) -> str:
        """Why it can't be called so; "" if it can."""
        if self.positional != -1 and call.positional > self.positional:
            return f"takes at most {self.positional} arguments by position, not {call.positional}"
        unknown = [name for name in call.named if name not in self.names and not self.any_name]
        if unknown:
            return f"takes no argument {unknown[0]!r}"
        given = {*self.names[: call.positional], *call.named}
        missing = [name for name in self.required if name not in given]
        return f"needs a value for {missing[0]!r}" if missing else ""


@dataclasses.dataclass(frozen=True)
class Bound:
    """What a name stands for.

    `kind` is "function", "coroutine", "value" (a number, a text, None …), "flask" (an object made by Flask(…)),
    "import" (`name` of `module`), "module" or "unknown".
    """

    kind: str
    name: str = ""
    module: str = ""
    signature: Signature | None = None

    def fault(self, said: str, call: Call | None) -> str:
        """Why a WSGI server can't use it, called or not; "" if it may be right. `said` is how it was written."""
        if self.kind == "value":
            return f"{said!r} is {self.name}; name the Flask object, or the function that makes it"
        if self.kind == "module":
            return f"{said!r} is a module; name the Flask object in it (callable: {said}.app)"
        if self.kind == "coroutine":
            return f"{said!r} is an async function, and uWSGI speaks WSGI; name a Flask object"
        if (self.kind, self.module, self.name) == ("import", "flask", "Flask") and call is None:
            return f"{said!r} is Flask's class; name an object that was made of it, or the function that makes one"
        if self.kind == "flask" and call is not None:
            return f"{said!r} is a Flask object already; write it without parentheses (callable: {said})"
        if self.signature is None:
            return ""
        if call is not None:
            fault = self.signature.fault(call)
            return fault and f"the function {said!r} {fault}"
        if self.signature.takes_two():
            return ""
        if not self.signature.required:
            return f"{said!r} is a function; write {said}(), if it returns the Flask object"
        wanted = ", ".join(self.signature.required)
        return (
            f"{said!r} is a function that needs {wanted}; write {said}(…) with values, if it returns the Flask object"
        )


@dataclasses.dataclass(frozen=True)
class Module:
    """What each name may stand for; `is_open` if it may have names that can't be read.

    `needs` are modules, each with a name that is imported from it in any case.
    """

    names: dict[str, list[Bound]]
    is_open: bool
    needs: tuple[tuple[str, str], ...] = ()

    def of(self, name: str) -> list[Bound]:
        return self.names.get(name, [])

    def offered(self) -> list[str]:
        """Names that may be meant, functions that need nothing with their parentheses."""
        return [
            f"{name}()" if bound[0].signature and not bound[0].signature.required else name
            for name, bound in self.names.items()
            if not name.startswith("_") and bound[0].kind not in ("value", "module")
        ]


def bound_names(tree: ast.Module, module: str, is_package: bool) -> Module:
    """What a module binds. The last binding counts, but for what stands below a condition, which may not happen."""
    package = module if is_package else module.rpartition(".")[0]
    names: dict[str, list[Bound]] = {}
    needs = []
    for node, is_certain in _statements(tree.body):
        for name, bound in _bound(node, package):
            if bound.kind == "import" and is_certain:
                needs.append((bound.module, bound.name))
            names[name] = [bound] if is_certain else [*names.get(name, []), bound]
    made = {one for node in ast.walk(tree) if isinstance(node, ast.Global) for one in node.names}
    names |= {name: [Bound("unknown")] for name in made}
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    called |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    is_open = "*" in names or "__getattr__" in names or bool(called & MAKE_NAMES)
    return Module(names, is_open, tuple(needs))


def _statements(body: list[ast.stmt], is_certain: bool = True) -> Iterator[tuple[ast.stmt, bool]]:
    """Every statement outside functions and classes, and whether it is run in any case."""
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            # Never run by a server.
            yield from _statements(node.orelse, is_certain)
            continue
        yield node, is_certain
        for part in ("body", "orelse", "finalbody"):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _statements(getattr(node, part, []), is_certain and isinstance(node, ast.With))
        for branch in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
            yield from _statements(branch.body, False)


def _bound(node: ast.stmt, package: str) -> Iterator[tuple[str, Bound]]:
    match node:
        case ast.FunctionDef():
            yield node.name, Bound("unknown") if node.decorator_list else _function(node, "function")
        case ast.AsyncFunctionDef():
            yield node.name, Bound("unknown") if node.decorator_list else _function(node, "coroutine")
        case ast.ClassDef():
            yield node.name, Bound("unknown")
        case ast.Import():
            for alias in node.names:
                named = alias.asname or alias.name.partition(".")[0]
                yield named, Bound("module", module=alias.name if alias.asname else named)
        case ast.ImportFrom():
            source = _absolute(node, package)
            for alias in node.names:
                yield alias.asname or alias.name, Bound("import", alias.name, source)
        case _:
            yield from _assigned(node)


def _assigned(node: ast.stmt) -> Iterator[tuple[str, Bound]]:
    """The names that any other statement binds: assignments, loops, `with … as`."""
    plain = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    value = getattr(node, "value", None)
    for target in plain:
        # A bare annotation binds nothing.
        if isinstance(target, ast.Name) and value is not None:
            yield target.id, _value(value)
    heads = [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]
    known = {target.id for target in plain if isinstance(target, ast.Name)}
    for inner in (one for head in heads for one in ast.walk(head)):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store) and inner.id not in known:
            yield inner.id, Bound("unknown")


def _value(value: ast.expr) -> Bound:
    if isinstance(value, ast.Constant | ast.List | ast.Dict | ast.Set | ast.Tuple | ast.JoinedStr):
        kinds = {ast.List: "a list", ast.Dict: "a dictionary", ast.Set: "a set", ast.Tuple: "a tuple"}
        constant = "None" if getattr(value, "value", "") is None else "a constant"
        return Bound("value", kinds.get(type(value), constant))
    if isinstance(value, ast.Call):
        maker = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return Bound("flask" if maker == "Flask" else "unknown")
    return Bound("unknown")


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, kind: str) -> Bound:
    given = node.args
    by_position = [argument.arg for argument in [*given.posonlyargs, *given.args]]
    by_name = [argument.arg for argument in given.kwonlyargs]
    required = by_position[: len(by_position) - len(given.defaults)]
    required += [name for name, default in zip(by_name, given.kw_defaults, strict=True) if default is None]
    return Bound(
        kind,
        signature=Signature(
            names=(*by_position, *by_name),
            required=tuple(required),
            positional=-1 if given.vararg else len(by_position),
            any_name=given.kwarg is not None,
        ),
    )


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that `from …a import` means, as seen from a package."""
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    kept = parents[: len(parents) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])
