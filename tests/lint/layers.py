#!/usr/bin/env python3
"""Who may include whom, and which library a room may call: the walls of the house, executed.

A room is a header with its sources (store.h, store.c, store_audit.c ...). The table names, for each
room, the rooms it may include besides itself. Whatever is not named is forbidden.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# room of daemon/ -> rooms of daemon/ it may include
DAEMON = {
    "log": set(),
    "limits": set(),
    "records": {"limits"},
    "http": set(),
    "text": set(),
    "sandbox": set(),
    "wire": {"sandbox"},
    "arena": set(),
    "notify": set(),
    "multipart": set(),
    "fields": set(),
    "report": {"records", "limits", "fields"},
    "index": set(),
    "metrics": {"text"},
    "uids": set(),
    "quota": {"uids"},
    "probe": {"limits"},
    "config": {"limits", "log", "uids"},
    "store": {"records", "limits"},
    "catalog": {"store", "index", "records", "limits", "log"},
    "child": {"sandbox", "wire", "limits"},
    "pool": {"child", "sandbox", "wire", "limits", "log"},
    "server": {"http", "limits", "log", "quota"},
    "api": {"http", "catalog", "pool", "records", "limits", "log", "metrics", "report", "multipart", "text",
            "fields", "quota", "probe", "uids"},
    "worker": {"arena", "sandbox", "wire", "limits"},
    "main": {"api", "server", "catalog", "pool", "config", "http", "log", "limits", "metrics", "notify",
             "quota", "probe", "uids"},
}

# A call that only these files may make: pattern -> file name pattern
CALLS = {
    r"\bmdb_[a-z_]+\(": r"daemon/store[a-z_]*\.c$|tests/|bench/",
    r"\bMHD_[a-z_]+\(": r"daemon/server[a-z_]*\.c$",
    r"\bjpeg_(?!scans_)[a-z_]+\(": r"hashlib/image_jpeg[a-z_]*\.c$|tests/|bench/",
    r"\bpng_[a-z_]+\(": r"hashlib/image_png[a-z_]*\.c$|tools/page/wasm/codec_png\.c$|tests/|bench/",
    r"\bWebP[A-Z]\w+\(": r"hashlib/image_webp[a-z_]*\.c$|tests/|bench/",
    r"\bDGif\w+\(": r"hashlib/image_gif[a-z_]*\.c$|tests/|bench/",
    r"\bcurl_[a-z_]+\(": r"tools/imprintctl/web\.c$",
    r"\bXML_[A-Z]\w+\(": r"tools/imprintctl/exchange_ncmec\.c$",
    r"\blog_(error|warning|notice|info|debug|line)\(":
        r"daemon/(log|main|server|api|catalog|pool|config)[a-z_]*\.[ch]$|tests/",
    r"\b(socket|connect|bind|listen|accept4?|getaddrinfo|socketpair)\(":
        r"daemon/(server|child|notify|main)[a-z_]*\.c$|tools/imprintctl/client[a-z_]*\.c$|tests/|bench/",
    r"\b(system|popen)\(": r"tests/|bench/",
    r"\b(fork|vfork|execve?|posix_spawnp?)\(": r"daemon/child\.c$|daemon/store_verify\.c$|tests/|bench/",
}

# Calls nobody makes, and what to use instead.
BANNED = {
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|stpcpy)\(": "snprintf or memcpy with a length",
    r"\b(strtok|asctime|ctime|gmtime|localtime)\(": "the _r function",
    r"\b(atoi|atol|atof|atoll)\(": "strtoul and friends, checked",
    r"\b(tmpnam|mktemp|tempnam)\(": "mkstemp or mkdtemp",
    r"\b(alloca|setjmp\.h>.*alloca)\(": "a bounded buffer",
    r"\brand\(|\bsrand\(|\brandom\(": "getrandom, or a generator of the test's own",
}


def room_of(name: str) -> str:
    """store_audit.c and store.h belong to the room store."""
    stem = Path(name).stem
    return stem if stem in DAEMON else stem.split("_")[0]


def strip_comments(text: str) -> str:
    keep_lines = lambda match: "\n" * match.group(0).count("\n")
    text = re.sub(r"/\*.*?\*/", keep_lines, text, flags=re.S)
    return re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)


def includes(text: str):
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if match:
            yield number, match.group(1)


def check_daemon_layers(path: Path, text: str):
    room = room_of(path.name)
    if room not in DAEMON:
        yield 1, f"room {room} is not in the table of {Path(__file__).name}"
        return
    for number, name in includes(text):
        if name.startswith("imprint/"):
            continue
        other = room_of(name)
        if other != room and other not in DAEMON[room]:
            yield number, f"{room} may not include {name}"


def check_library_layers(path: Path, text: str):
    """hashlib and the public headers know nothing but themselves; the companion nothing of the daemon."""
    where = path.relative_to(ROOT).parts[0]
    for number, name in includes(text):
        if where == "include" and not name.startswith("imprint/"):
            yield number, f"a public header may not include {name}"
        if where == "hashlib" and "/" in name and not name.startswith("imprint/"):
            yield number, f"hashlib may not include {name}"
        if where == "tools" and (ROOT / "daemon" / name).exists() and not (path.parent / name).exists():
            yield number, f"a tool may not include the daemon's {name}"


def check_calls(path: Path, text: str):
    relative = str(path.relative_to(ROOT))
    for number, line in enumerate(strip_comments(text).splitlines(), 1):
        for pattern, allowed in CALLS.items():
            if re.search(pattern, line) and not re.search(allowed, relative):
                yield number, f"this call belongs elsewhere: {re.search(pattern, line).group(0)}"
        for pattern, instead in BANNED.items():
            match = re.search(pattern, line)
            if match:
                yield number, f"{match.group(0)} is banned: use {instead}"


def check_size(path: Path, text: str):
    lines = text.splitlines()
    if len(lines) > 800:
        yield len(lines), f"{len(lines)} lines: is it one room, or two?"
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start is not None:
            if number - start > 70:
                yield start, f"a function of {number - start} lines"
            start = None


def check_leftovers(path: Path, text: str):
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b", line):
            yield number, "a leftover"


def find_cycles():
    """Rooms that include each other in a ring."""
    problems = []
    for start in DAEMON:
        seen, frontier = set(), set(DAEMON[start])
        while frontier:
            seen |= frontier
            frontier = set().union(*(DAEMON[room] for room in frontier)) - seen
        if start in seen:
            problems.append(f"tests/lint/layers.py: room {start} reaches itself")
    return problems


def main() -> int:
    problems = find_cycles()
    checked = 0
    for folder in ("include", "hashlib", "daemon", "tools", "tests", "bench"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            text = path.read_text(encoding="utf-8")
            checked += 1
            checks = [check_calls, check_size, check_leftovers]
            if folder == "daemon":
                checks.append(check_daemon_layers)
            elif folder in ("include", "hashlib", "tools"):
                checks.append(check_library_layers)
            for check in checks:
                for number, message in check(path, text):
                    problems.append(f"{path.relative_to(ROOT)}:{number}: {message}")
    print("\n".join(problems))
    print(f"{checked} files, {len(problems)} problems")
    return 1 if problems or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
