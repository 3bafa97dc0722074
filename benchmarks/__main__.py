"""``python -m benchmarks [NAME…]`` runs every benchmark, or those that are named, each in a process of its own.

Ends with 1 when one of them missed what it promises.
"""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def names() -> dict[str, str]:
    """Every benchmark with the first line of its docstring: the modules here that have a `main`."""
    trees = {
        module.name: ast.parse((HERE / f"{module.name}.py").read_text()) for module in pkgutil.iter_modules([HERE])
    }
    return {
        name: (ast.get_docstring(tree) or "").partition("\n")[0].partition(" `python")[0]
        for name, tree in trees.items()
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)
        if name != "__main__"
    }


def main(wanted: list[str]) -> int:
    """Run the benchmarks one after another; the exit code is the worst of theirs."""
    known = names()
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"there is no benchmark {unknown[0]}: {', '.join(known)}", file=sys.stderr)
        return 2
    worst = 0
    for name in wanted or known:
        print(f"\n{name}: {known[name]}", flush=True)
        worst = max(worst, subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
