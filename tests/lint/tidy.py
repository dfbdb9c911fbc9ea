#!/usr/bin/env python3
"""clang-tidy with the root's .clang-tidy finds nothing in the programs and the library.

usage: tidy.py BUILD_DIR (with compile_commands.json)
"""
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("hashlib", "daemon", "tools")


def sources(build: Path) -> list:
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    files = {Path(command["file"]).resolve() for command in commands}
    return sorted(f for f in files if f.suffix == ".c" and f.relative_to(ROOT).parts[0] in FOLDERS)


def tidy(build: Path, file: Path) -> str:
    result = subprocess.run(["clang-tidy-14", "--quiet", "-p", str(build), str(file)], capture_output=True, text=True)
    return "" if result.returncode == 0 else result.stdout + result.stderr


def main() -> int:
    build = Path(sys.argv[1]).resolve()
    files = sources(build)
    with ThreadPoolExecutor(2) as pool:
        problems = [text for text in pool.map(lambda file: tidy(build, file), files) if text]
    print("\n".join(problems))
    print(f"{len(files)} files, {len(problems)} with findings")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
