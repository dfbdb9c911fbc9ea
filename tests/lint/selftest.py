#!/usr/bin/env python3
"""The lint itself can fail: each rule is broken on purpose in a copy of the tree, and must be noticed."""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# (file to add, its content, what layers.py must say about it)
BREACHES = [
    ("daemon/index_breach.c", '#include "store.h"\n', "index may not include store.h"),
    ("daemon/unknown.c", "int unknown;\n", "room unknown is not in the table"),
    ("daemon/api_breach.c", "int f(void) { return mdb_env_create(0); }\n", "mdb_env_create("),
    ("hashlib/breach.c", '#include "daemon/log.h"\n', "hashlib may not include daemon/log.h"),
    ("include/imprint/breach.h", '#include "log.h"\n', "a public header may not include log.h"),
    ("tools/imprint/breach.c", "int f(void) { return socket(1, 1, 0); }\n", "socket("),
    ("tools/imprintctl/breach.c", '#include "catalog.h"\n', "a tool may not include the daemon's catalog.h"),
    ("tools/imprintctl/breach.c", "int f(void) { return curl_global_init(1); }\n", "curl_global_init("),
    ("daemon/log_breach.c", "void f(char *p) { strcpy(p, p); }\n", "strcpy( is banned"),
    ("daemon/wire_breach.c", "void f(void)\n{\n" + "    ;\n" * 80 + "}\n", "a function of"),
    ("daemon/log_breach.c", "int x;\n" * 801, "801 lines"),
    ("daemon/log_breach.c", "/* TO" + "DO */\n", "a leftover"),
]


def layers(tree: Path) -> str:
    result = subprocess.run([sys.executable, str(tree / "tests/lint/layers.py")], capture_output=True, text=True)
    return "" if result.returncode == 0 else result.stdout


def main() -> int:
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in ("include", "hashlib", "daemon", "tools", "tests", "bench"):
            shutil.copytree(ROOT / name, tree / name)
        if layers(tree):
            missed.append("the copy is not clean to begin with:\n" + layers(tree))
        for name, content, expected in BREACHES:
            breach = tree / name
            breach.write_text(content, encoding="utf-8")
            if expected not in layers(tree):
                missed.append(f"not noticed: {name}: {expected}")
            breach.unlink()
    print("\n".join(missed))
    print(f"{len(BREACHES)} breaches, {len(missed)} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
