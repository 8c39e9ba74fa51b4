"""``python -m benchmarks NAME [options]``; without a name, what there is."""

from __future__ import annotations

import sys
from importlib import import_module
from inspect import signature
from pathlib import Path
from pkgutil import iter_modules

from benchmarks.rows import options

HELPERS = {"__init__", "__main__", "agreement", "asvi", "exact", "rows"}
NAMES = sorted({found.name for found in iter_modules([str(Path(__file__).parent)])} - HELPERS)


def main(arguments: list[str]) -> int:
    """Run the benchmarks named; 2 for an unknown name."""
    names, chosen = options(arguments)
    if not names:
        for name in NAMES:
            first = (import_module(f"benchmarks.{name}").__doc__ or "").partition("\n")[0]
            print(f"{name:12} {first}")
        return 0
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"there is no benchmark {unknown[0]}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names:
        run = import_module(f"benchmarks.{name}").main
        run(chosen) if signature(run).parameters else run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
