#!/usr/bin/env python3
"""imprintctl import and export against a real imprintd: each format arrives, nothing changes on a broken file, importing
twice changes nothing, what was exported imports as the same list, and a million lines take less than 64 MiB.

usage: exchange.py BUILD_DIR [million]
"""
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data/exchange"
A = "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22"
B = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"
C = "9c151c3af838278e3ef57c180c7d031c07aefd12f2ccc1e18f2a1e1c7d0ff163"
D = "fb4eed46cb8a6c78819ca06b756c541f7b07ef6d02c82fccd00f862166272cda"
LINES = 1000000 if "million" in sys.argv else 20000


class Place:
    """A daemon on a folder of its own, and imprintctl in front of it."""

    def __init__(self, build: Path, folder: Path):
        self.ctl, self.folder = build / "tools/imprintctl", folder
        self.environment = dict(os.environ, IMPRINT_ADMIN_SOCKET=str(folder / "admin.sock"))
        (folder / "data").mkdir()
        self.daemon = subprocess.Popen(
            [build / "daemon/imprintd", "--data-dir", folder / "data", "--set", f"query_socket={folder}/query.sock",
             "--set", f"admin_socket={folder}/admin.sock"], stderr=open(folder / "log", "wb"))
        deadline = time.monotonic() + 60
        while self.run("status").returncode != 0:
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)

    def run(self, *arguments, text=None):
        return subprocess.run([self.ctl, *map(str, arguments)], capture_output=True, text=True, input=text,
                              env=self.environment, timeout=600)

    def done(self, *arguments, **more) -> str:
        result = self.run(*arguments, **more)
        assert result.returncode == 0, f"{arguments}: {result.returncode}\n{result.stderr}"
        return result.stdout

    def import_(self, path, name, *options, status=0, text=None) -> dict:
        result = self.run("import", path, "--list", name, "--json", *options, text=text)
        assert result.returncode == status, f"{path}: {result.returncode}\n{result.stdout}{result.stderr}"
        return json.loads(result.stdout)

    def list_(self, *names):
        for name in names:
            self.done("list", "create", name)

    def hashes(self, name) -> list:
        return sorted(self.done("export", "--list", name, "--format", "hex").split())

    def write(self, name, text) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        assert self.daemon.wait(timeout=60) == 0


def each_format_arrives(place):
    expected = {"hex.list": [A, B, C, D], "pdq.list": [A, B, C, D], "base64.list": [A, B, D],
                "csv_quality.csv": [A, B, C], "csv_name.csv": [A, B, C, D], "csv_header.csv": [A, B, D],
                "tx.csv": [A, B, D], "stopncii.json": [A, B, D], "stopncii_pages.json": [A], "ncmec.xml": [A, D],
                "vics_1.json": [A, B], "vics_2.json": [C, D], "native_signed.jsonl": [A, C], "native_odd.jsonl": [A]}
    for file, hashes in expected.items():
        name = file.replace("_", "-")
        place.list_(name)
        place.done("list", "change", name, "--quality-floor", "0")
        summary = place.import_(DATA / file, name, "--keep-going")
        assert place.hashes(name) == sorted(hashes), f"{file}: {place.hashes(name)}\n{summary}"
        assert summary["complete"] and summary["records"] == sum(
            summary[key] for key in ("adds", "removes", "skipped", "invalid")), summary
        assert summary["adds"] + summary["removes"] == sum(
            summary[key] for key in ("added", "removed", "duplicate", "below_floor", "superseded")), summary
        again = place.import_(DATA / file, name, "--keep-going")
        assert (again["added"], again["removed"]) == (0, 0), f"{file}: {again}"
        assert place.hashes(name) == sorted(hashes)


def a_broken_file_changes_nothing(place):
    place.list_("strict")
    summary = place.import_(DATA / "hex.list", "strict", status=2)
    assert summary["invalid"] == 2 and not summary["complete"] and summary["issues"][0]["line"] == 6, summary
    whole = (DATA / "stopncii.json").read_text()
    for text in (whole[:-20], whole + "x", f"{{\"hashRecords\":[{whole}", ""):
        summary = place.import_(place.write("broken.json", text), "strict", "--keep-going", status=2)
        assert not summary["complete"] and summary["added"] == 0, summary
    signed = (DATA / "native_signed.jsonl").read_text()
    place.import_(place.write("changed.jsonl", signed.replace("d8f8", "d8f9")), "strict", "--keep-going", status=2)
    assert place.hashes("strict") == []
    missing = place.run("import", DATA / "hex.list", "--list", "no-such-list")
    assert missing.returncode == 2 and "list_not_found" in missing.stderr, missing


def a_dry_run_needs_no_daemon_and_changes_nothing(place):
    place.list_("dry")
    result = subprocess.run([place.ctl, "--socket", "/nonexistent", "import", DATA / "tx.csv", "--list", "dry", "-n",
                             "-k", "--json"], capture_output=True, text=True)
    summary = json.loads(result.stdout)
    assert result.returncode == 0 and summary["dry_run"] and summary["adds"] == 4, result
    assert place.hashes("dry") == []


def withdrawn_hashes_leave(place):
    """The same hash in the same file and over two files; the last snapshot counts."""
    def page(*records):
        return json.dumps({"hashRecords": [{"signalType": "ImagePDQ", "hashValue": value, "hashStatus": status,
                                            "caseNumbers": cases} for value, status, cases in records]})

    place.list_("feed", "other")
    place.import_("-", "other", text=f"{A}\n")
    summary = place.import_("-", "feed", text=page((A, "Active", {"1": "Active"}), (B, "Active", {}), (C, "Active", {}),
                                                   (C, "Withdrawn", {}), (D, "Withdrawn", {}), (D, "Active", {})))
    # What is withdrawn further down is not added even for a moment.
    assert (summary["added"], summary["removed"], summary["duplicate"]) == (3, 0, 3), summary
    assert place.hashes("feed") == sorted([A, B, D])
    summary = place.import_("-", "feed", text=page((A, "Withdrawn", {"1": "Withdrawn", "2": "Deleted"}),
                                                   (B, "Withdrawn", {"1": "Withdrawn", "2": "Active"}),
                                                   (C, "Deleted", {})))
    assert (summary["removed"], summary["duplicate"]) == (1, 2), summary
    assert place.hashes("feed") == sorted([B, D]) and place.hashes("other") == [A]


def deleted_ids_leave_whatever_their_place(place):
    def images(*entries):
        return '<queryResult><images>' + "".join(
            f'<{tag}><member id="{member}"/><id>{name}</id><timestamp>2020-01-01T00:00:{second:02}Z</timestamp>'
            f'<fingerprints>{f"<pdq>{value}</pdq>" if value else ""}</fingerprints></{tag}>'
            for tag, member, name, second, value in entries) + '</images></queryResult>'

    place.list_("ids")
    place.import_("-", "ids", text=images(("image", 1, "a", 1, A), ("image", 1, "b", 1, B), ("image", 2, "a", 1, C)))
    assert place.hashes("ids") == sorted([A, B, C])
    summary = place.import_("-", "ids", text=images(("deletedImage", 1, "a", 5, ""), ("image", 1, "a", 1, A),
                                                    ("deletedImage", 2, "a", 1, ""), ("image", 2, "a", 9, D)))
    assert summary["superseded"] == 1 and summary["removed"] == 2, summary
    assert place.hashes("ids") == sorted([B, D])


def the_lists_floor_holds(place):
    place.list_("floor")
    summary = place.import_("-", "floor", text=f"hash,quality\n{A},49\n{B},50\n{C},\n")
    assert summary["below_floor"] == 1 and place.hashes("floor") == sorted([B, C]), summary


def what_is_exported_imports_as_the_same_list(place):
    place.list_("one", "two", "three")
    seed = place.write("seed", "".join(f"{i:02x}" for i in range(32)))
    seed.chmod(0o644)
    path = place.folder / "one.jsonl"
    place.import_("-", "one", text=f"hash,quality,id,tags\n{A},97,case 7,a b\n{B},,,\n")
    refused = place.run("export", "--list", "one", "--output", path, "--sign", seed)
    assert refused.returncode == 2 and "chmod 600" in refused.stderr and not path.exists(), refused
    seed.chmod(0o600)
    place.done("export", "--list", "one", "--output", path, "--sign", seed, "--notes")
    assert path.stat().st_mode & 0o777 == 0o600
    assert place.run("export", "--list", "one", "--output", path).returncode == 2
    key = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
    place.import_(path, "two", "--trust", key[::-1], status=2)
    summary = place.import_(path, "two", "--trust", key)
    assert summary["signed_by"] == key and summary["added"] == 2, summary
    entries = [json.loads(place.done("entry", "list", "--list", name, "--json"))["entries"] for name in ("one", "two")]
    for field in ("hash", "quality", "expires", "disabled_until"):
        assert [e[field] for e in entries[0]] == [e[field] for e in entries[1]], entries
    # Below the name that the exporter gave it, the note is as it was.
    assert entries[1][0]["note"].endswith("; note:" + entries[0][0]["note"]), entries
    assert "case 7" not in place.done("export", "--list", "one")
    assert [p.name for p in place.folder.glob("one.jsonl*")] == ["one.jsonl"]
    place.import_("-", "three", text=place.done("export", "--list", "one", "--format", "tx"))
    assert place.hashes("three") == place.hashes("one")


def a_follower_is_told_what_was_removed(place):
    def changes(since) -> str:
        return place.done("export", "--list", "leader", "--since", since)

    def last_change(text) -> int:
        return json.loads(text.splitlines()[0])["seq"]

    place.list_("leader", "follower", "bystander")
    place.import_("-", "leader", text=f"{A}\n{B}\n")
    place.import_("-", "bystander", text=f"{A}\n{D}\n")
    whole = place.done("export", "--list", "leader")
    place.import_("-", "follower", text=whole)
    removed = json.loads(place.done("entry", "find", A, "--json"))["entries"]
    place.done("entry", "remove", next(e["id"] for e in removed if e["list"] == "leader"))
    place.import_("-", "leader", text=f"{C}\n")
    change = changes(last_change(whole))
    assert A not in change and change.count('"op":"remove"') == 1 and D not in change, change
    summary = place.import_("-", "follower", text=change)
    assert (summary["added"], summary["removed"]) == (1, 1), summary
    assert place.hashes("follower") == place.hashes("leader") == sorted([B, C])
    assert place.hashes("bystander") == sorted([A, D])
    assert '"op"' not in changes(last_change(change))
    assert "later than" in place.run("export", "--list", "leader", "--since", 1 << 40).stderr


def many_lines_take_little_memory(place):
    generator = random.Random(1)
    path, out = place.folder / "many.csv", place.folder / "many.list"
    # Line by line: a child's peak counts what this process held when it was made.
    with open(path, "w", encoding="ascii") as file:
        for i in range(LINES):
            file.write(f"{generator.randbytes(32).hex()},{50 + i % 51},x.jpg\n")
    place.list_("many")
    summary = place.import_(path, "many")
    assert summary["added"] == LINES, summary
    place.done("export", "--list", "many", "--format", "hex", "--output", out)
    assert out.stat().st_size == LINES * 65
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"{LINES} lines, peak of imprintctl: {peak_kib} KiB")
    # A sanitizer's shadow is no memory of ours.
    assert "asan" in str(place.ctl) or peak_kib < 64 * 1024


def an_interrupted_import_says_what_it_did_and_goes_on(place):
    place.list_("cut")
    importing = subprocess.Popen([place.ctl, "import", place.folder / "many.csv", "--list", "cut", "--json"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=place.environment)
    while json.loads(place.done("list", "show", "cut", "--json"))["entries"] == 0 and importing.poll() is None:
        pass
    importing.send_signal(signal.SIGINT)
    output, errors = importing.communicate(timeout=120)
    summary = json.loads(output)
    if not summary["complete"]:
        assert importing.returncode == 2 and "interrupted" in errors, errors
        assert 0 < summary["added"] < LINES, summary
    again = place.import_(place.folder / "many.csv", "cut")
    assert again["added"] == LINES - summary["added"] and again["duplicate"] == summary["added"], (summary, again)


def main() -> int:
    tests = [each_format_arrives, a_broken_file_changes_nothing, a_dry_run_needs_no_daemon_and_changes_nothing,
             withdrawn_hashes_leave, deleted_ids_leave_whatever_their_place, the_lists_floor_holds,
             what_is_exported_imports_as_the_same_list, a_follower_is_told_what_was_removed, many_lines_take_little_memory,
             an_interrupted_import_says_what_it_did_and_goes_on]
    with tempfile.TemporaryDirectory(prefix="imprint-") as folder:
        place = Place(Path(sys.argv[1]).resolve(), Path(folder))
        try:
            for test in tests:
                test(place)
                print(f"ok {test.__name__}")
        finally:
            place.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
