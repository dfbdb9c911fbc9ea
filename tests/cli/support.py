"""What the tests of both programs share: running them in a folder of their own, and the holder's code recomputed."""
import hashlib
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
FINE, MATCH, ERROR, UNHASHABLE, UNREACHABLE, REFERRED, STOPPED = range(7)


def build_dir() -> Path:
    return Path(os.environ["IMPRINT_BUILD_DIR"])


def environment(**more) -> dict:
    return {"PATH": os.environ["PATH"], "LANG": "C", "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""), **more}


class ProgramTest(unittest.TestCase):
    """A folder a test; run() runs the program in it."""
    program = ""

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="imprint-")
        self.folder = Path(self.temporary.name)
        self.addCleanup(self.temporary.cleanup)

    def path(self) -> str:
        return str(build_dir() / "tools" / self.program)

    def run_program(self, *arguments, status=FINE, env=None, **options) -> subprocess.CompletedProcess:
        options.setdefault("stdin", subprocess.DEVNULL)
        if "input" in options:
            del options["stdin"]
        result = subprocess.run([self.path(), *map(str, arguments)], cwd=self.folder, capture_output=True,
                                timeout=60, env=environment(**(env or {})), **options)
        self.assertEqual(result.returncode, status, f"{arguments}\n{result.stdout}\n{result.stderr}")
        return result

    def put(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def names(self) -> set:
        return {path.name for path in self.folder.iterdir()}


def read_code(text: str) -> bytes:
    """The root of a code, or ValueError."""
    symbols = [ALPHABET.index(c) for c in text.replace("-", "")]
    if len(symbols) != 28:
        raise ValueError("28 symbols")
    value = 0
    for symbol in symbols[:26]:
        value = value * 32 + symbol
    if value % 1021 != symbols[26] * 32 + symbols[27]:
        raise ValueError("check")
    return value.to_bytes(16, "big")


def case_text(case: bytes) -> str:
    value = int.from_bytes(case, "big")
    return "".join(ALPHABET[value >> 5 * (25 - i) & 31] for i in range(26))


def derive(root: bytes, use: str) -> tuple:
    """(case id, key, verifier) as docs/formats.md has it, by another implementation of BLAKE2b."""
    case = hashlib.blake2b(b"imprint/1/case", key=root, digest_size=16).digest()
    key = hashlib.blake2b(b"imprint/1/" + use.encode(), key=root, digest_size=32).digest()
    verifier = hashlib.blake2b(b"imprint-verifier/1/" + use.encode() + case + key, digest_size=32).digest()
    return case, key, verifier


def main():
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} BUILD_DIR [unittest arguments]")
    os.environ["IMPRINT_BUILD_DIR"] = str(Path(sys.argv.pop(1)).resolve())
    unittest.main(module="__main__")
