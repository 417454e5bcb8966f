"""The tables of bench/README.md, each between its own markers, from the results that were kept.

python -m bench.tables [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.__main__ import RESULTS, table
from scoring.errors import InvalidInput

README = Path(__file__).parent / "README.md"
Rows = list[dict[str, Any]]


def write_block(name: str, block: str, readme: Path = README) -> None:
    """Put a text between a name's markers, `<!-- NAME -->` and `<!-- end -->`.

    Raises:
        InvalidInput: the page has no such markers.
    """
    before = readme.read_text(encoding="utf-8")
    after, found = re.subn(
        rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)", lambda m: f"{m[1]}\n{block}\n\n{m[2]}", before, count=1,
        flags=re.DOTALL,
    )  # fmt: skip
    if not found:
        raise InvalidInput(f"{readme.name}: there is no `<!-- {name} -->` with an `<!-- end -->` after it")
    readme.write_text(after, encoding="utf-8")


def explain(rows: Rows) -> str:
    """Faithfulness by method over all tasks; then how much more than random words by task."""
    over_all = [{k: v for k, v in row.items() if k != "task"} for row in rows if row["task"] == "all"]
    by_task: dict[tuple[str, str], dict[str, object]] = {}
    for row in rows:
        if row["task"] != "all":
            line = by_task.setdefault((row["answers"], row["task"]), {"answers": row["answers"], "task": row["task"]})
            line[row["method"]] = row["comprehensiveness"]
    parts = [table(over_all)]
    if by_task:
        parts += ["Comprehensiveness by task:", table(list(by_task.values()))]
    return "\n\n".join(parts)


BLOCKS: dict[str, Callable[[Rows], str]] = {
    "checks": table,
    "explain": explain,
    "explain_speed": table,
    "keyboard": table,
    "why": table,
}


def block(name: str) -> str:
    """A measurement's table.

    Raises:
        InvalidInput: it wasn't run, or only in its quick size, whose numbers mean nothing.
    """
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        raise InvalidInput(f"{name}: not run yet; run `python -m bench {name}`")
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept["quick"]:
        raise InvalidInput(f"{name}: only the quick size was run; run `python -m bench {name}`")
    return BLOCKS[name](kept["rows"])


def main(arguments: list[str] | None = None) -> int:
    """Write the tables that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench.tables", description="Write the tables of bench/README.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(BLOCKS)}; default all")
    args = parser.parse_args(arguments)
    unknown = set(args.names) - set(BLOCKS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(BLOCKS)}")
    failed = 0
    for name in args.names or BLOCKS:
        try:
            text = block(name)
            write_block(name, text)
        except InvalidInput as error:
            print(f"error: {error}", file=sys.stderr)
            failed = 2
        else:
            print(f"\n{name}\n\n{text}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
