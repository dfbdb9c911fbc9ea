#!/usr/bin/env python3
"""The README's queries, run as they stand beside a running demonstration: every sh, python, js and go block.

usage: readme.py BUILD_DIR. Plays the main job in the build directory's own folder, then each block in the root of a
scratch tree whose build/demo and build/release lead there.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# language of a block -> how to run the text; None: the two commands themselves, run by other tests
RUNNERS = {
    "python": (["python3", "-"], "python3"),
    "js": (["node", "-"], "node"),
    "go": (["go", "run", "readme.go"], "go"),
    "sh": (["bash", "-euo", "pipefail", "-"], "bash"),
}


def blocks(text: str):
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.M | re.S):
        if language in RUNNERS and "./dev " not in body:
            yield language, body


def run_block(language: str, body: str, tree: Path) -> str:
    command, program = RUNNERS[language]
    if shutil.which(program) is None:
        raise FileNotFoundError(program)
    if language == "go":
        (tree / "readme.go").write_text(body)
    environment = dict(os.environ, GOFLAGS="-mod=mod", GOCACHE=str(tree / "gocache"), GO111MODULE="off", HOME=str(tree))
    result = subprocess.run(command, input=body, capture_output=True, text=True, cwd=tree, timeout=240, env=environment)
    if result.returncode != 0:
        raise AssertionError(f"exit {result.returncode}\n{result.stderr}")
    return result.stdout


def verdicts(output: str) -> list:
    """The verdict of each JSON answer, whether or not a newline stands between them."""
    decoder, found, text = json.JSONDecoder(), [], output.strip()
    while text:
        answer, end = decoder.raw_decode(text)
        found.append(answer["verdict"])
        text = text[end:].lstrip()
    return found


def start_demonstration(build: Path, tree: Path) -> subprocess.Popen:
    environment = dict(os.environ, IMPRINT_BUILD=str(build), IMPRINT_DEMO_DIR=str(tree / "build" / "demo"))
    return subprocess.Popen([str(ROOT / "tools/demo/main-job")], env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True)


def wait_until_serving(demo: subprocess.Popen) -> None:
    """The demonstration says so itself; its other lines are kept for the case that it does not come so far."""
    lines, deadline = [], time.monotonic() + 120
    for line in demo.stdout:
        lines.append(line)
        if "goes on serving" in line:
            return
        if time.monotonic() > deadline:
            break
    raise AssertionError("the demonstration did not come to its end:\n" + "".join(lines))


def check_blocks(tree: Path) -> int:
    failures = run = 0
    for language, body in blocks((ROOT / "README.md").read_text(encoding="utf-8")):
        try:
            found = verdicts(run_block(language, body, tree))
        except FileNotFoundError as missing:
            print(f"skipped: {language}: {missing} is not installed")
            continue
        # The block with two queries asks about another picture, then about a reported hash.
        expected = ["no_match", "match"] if "other.jpg" in body else ["match"]
        run += 1
        print(f"{language}: {found}")
        failures += found != expected
    if run < 3:
        print("too few blocks were run")
        failures += 1
    return failures


def main() -> int:
    build = Path(sys.argv[1]).resolve()
    # A short path: the name of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="imprint-") as folder:
        tree = Path(folder)
        (tree / "build").mkdir()
        (tree / "build" / "release").symlink_to(build)
        demo = start_demonstration(build, tree)
        try:
            wait_until_serving(demo)
            return 1 if check_blocks(tree) else 0
        finally:
            os.killpg(demo.pid, signal.SIGTERM)
            demo.wait(timeout=30)


if __name__ == "__main__":
    sys.exit(main())
