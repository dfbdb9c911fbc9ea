#!/usr/bin/env python3
"""Every C file is as clang-format 14 leaves it; every text file ends in a newline without trailing blanks."""
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("include", "hashlib", "daemon", "tools", "tests", "bench", "docs", "systemd")
TEXT = {".c", ".h", ".py", ".md", ".txt", ".json", ".sh", ".js", ".html", ".conf", ".service", ".socket"}


def unformatted(files: list) -> list:
    problems = []
    for path in files:
        result = subprocess.run(["clang-format-14", "--dry-run", "-Werror", str(path)],
                                capture_output=True, text=True, cwd=ROOT)
        if result.returncode != 0:
            problems.append(f"{path.relative_to(ROOT)}: not formatted, run ./dev format")
    return problems


def untidy(path: Path) -> list:
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT)
    problems = []
    if text and not text.endswith("\n"):
        problems.append(f"{name}: no newline at the end")
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip() and path.suffix != ".md":
            problems.append(f"{name}:{number}: blanks at the end of the line")
        if "\t" in line and path.suffix in {".c", ".h", ".py"}:
            problems.append(f"{name}:{number}: a tab")
    return problems


def main() -> int:
    paths = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*")) if p.is_file()]
    problems = unformatted([p for p in paths if p.suffix in {".c", ".h"}])
    for path in paths:
        if path.suffix in TEXT:
            problems += untidy(path)
    print("\n".join(problems))
    print(f"{len(paths)} files, {len(problems)} problems")
    return 1 if problems or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
