#!/usr/bin/env python3
"""The threat model names a test for each defence; every test it names must be there, and not only in it."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    text = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    # A test's name is a sentence: at least three words joined by underscores.
    named = sorted(set(re.findall(r"`((?:[a-z0-9]+_){2,}[a-z0-9]+)`", text)) - {"imprint_limits_default"})
    tests = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("*"))
                      if path.suffix in (".c", ".py") and path != Path(__file__).resolve())
    missing = [name for name in named
               if not re.search(rf"\b(?:void|def) {name}\(", tests)]
    for name in missing:
        print(f"docs/threat-model.md: there is no test {name}")
    print(f"{len(named)} tests named, {len(missing)} missing")
    return 1 if missing or len(named) < 30 else 0


if __name__ == "__main__":
    sys.exit(main())
