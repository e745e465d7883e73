"""Run benchmarks: ``python -m tests.benchmarks [NAME ...]``, all of them without a name.

A benchmark is a module of this folder with a function ``run() -> dict``: it measures the workflow
beside a baseline in one run, prints what it found, and returns at least ``ours``, ``baseline``,
``ratio``, ``unit`` and ``what`` (one sentence on what was measured). The result is also written to
``results/benchmarks/NAME.json``.
"""

import importlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = Path("results/benchmarks")
KEYS = ("ours", "baseline", "ratio", "unit", "what")


def main(names: list[str]) -> int:
    """Run the benchmarks of these names; return the exit code."""
    known = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"There is no benchmark '{unknown[0]}'; there are: {', '.join(known)}")
        return 1
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in names or known:
        result = importlib.import_module(f"tests.benchmarks.{name}").run()
        missing = [key for key in KEYS if key not in result]
        assert not missing, f"benchmark '{name}' lacks {missing}"
        path = RESULTS / f"{name}.json"
        path.write_text(json.dumps(result, indent=2) + "\n")
        print(f"{name}: {result['ours']:,.4g} against {result['baseline']:,.4g} {result['unit']}, "
              f"{result['ratio']:.2f} times; {path}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
