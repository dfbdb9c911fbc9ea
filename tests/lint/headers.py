#!/usr/bin/env python3
"""Every header compiles on its own, so that nobody depends on what another header happens to bring."""
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def compile_alone(path: Path, compiler: str, flags: list) -> str:
    include = ["-I", str(ROOT / "include"), "-I", str(path.parent), "-I", str(ROOT / "tools" / "common"),
               "-I", str(ROOT / "tools" / "imprintctl")]
    if "tests" in path.relative_to(ROOT).parts:
        include += ["-I", str(ROOT / "daemon")]
    command = [compiler, "-std=c17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
               *flags, *include, "-x", "c", "-include", str(path), "/dev/null"]
    result = subprocess.run(command, capture_output=True, text=True)
    return "" if result.returncode == 0 else f"{path.relative_to(ROOT)}:\n{result.stderr}"


def main() -> int:
    compiler, flags = sys.argv[1], sys.argv[2:]
    headers = [path for folder in ("include", "hashlib", "daemon", "tools", "tests", "bench")
               for path in sorted((ROOT / folder).rglob("*.h"))]
    with ThreadPoolExecutor(2) as pool:
        problems = [text for text in pool.map(lambda h: compile_alone(h, compiler, flags), headers) if text]
    print("\n".join(problems))
    print(f"{len(headers)} headers, {len(problems)} problems")
    return 1 if problems or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
