"""A pytest plugin that switches one refusal of the rules off: `EATA_MUTATE=CODE pytest -p tests.mutation`.

Every `raise Refused(Outcome.CODE, …)` (and Skipped) in `eata_ledger.rules`, `apply` and `carnet.blocks` becomes `pass`.
"""

import ast
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

MUTATED = ("eata_ledger.rules", "eata_ledger.apply", "eata_ledger.carnet.blocks")


class Off(ast.NodeTransformer):
    """Turns the raises of one code into nothing; `count` says how many there were."""

    def __init__(self, code: str) -> None:
        self.code, self.count = code, 0

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if code_of(node) != self.code:
            return node
        self.count += 1
        return ast.copy_location(ast.Pass(), node)


def code_of(node: ast.AST) -> str | None:
    """The outcome a `raise Refused(Outcome.X, …)` names."""
    match node:
        case ast.Raise(exc=ast.Call(func=ast.Name(id="Refused" | "Skipped"), args=[ast.Attribute(attr=name), *_])):
            return name
    return None


class Mutant(SourceFileLoader):
    """Compiles a module without the raises; never from a cache."""

    def get_code(self, fullname: str) -> CodeType:
        tree = ast.parse(self.get_data(self.path))
        off = Off(os.environ["EATA_MUTATE"])
        return compile(ast.fix_missing_locations(off.visit(tree)), self.path, "exec")


class Finder(MetaPathFinder):
    """Finds the mutated modules before anybody else does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(MUTATED):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = Mutant(fullname, spec.origin)
        return spec


if os.environ.get("EATA_MUTATE"):
    sys.meta_path.insert(0, Finder())
