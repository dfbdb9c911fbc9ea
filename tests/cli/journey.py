#!/usr/bin/env python3
"""The tools against a real imprintd on a data directory of its own: lists, entries, a report from the companion taken in,
matched, withdrawn by its holder's code, and every exit status that scripts rely on."""
import json
import os
import signal
import subprocess
import threading
import unittest
from pathlib import Path

import pictures
import support
from support import ERROR, MATCH, UNHASHABLE, UNREACHABLE

YES = ("--everyone-was-adult", "yes", "--it-is-me", "yes", "--i-understand", "yes")


class Journey(support.ProgramTest):
    """One daemon a test, so that none depends on another."""
    program = "imprintctl"

    def setUp(self):
        super().setUp()
        data = self.folder / "data"
        self.socket = str(data / "admin.sock")
        daemon = support.build_dir() / "daemon/imprintd"
        self.log = open(self.folder / "log", "wb")
        self.addCleanup(self.log.close)
        self.daemon = subprocess.Popen([str(daemon), "--data-dir", str(data), "--set", "workers=1"], stderr=self.log,
                                       env=support.environment())
        self.addCleanup(self.end_daemon)
        self.wait_until_ready()

    def end_daemon(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait(timeout=60), 0, (self.folder / "log").read_bytes())

    def wait_until_ready(self):
        """Asks until the daemon answers that it is ready; it must not end meanwhile."""
        pause = threading.Event()
        for _ in range(600):
            result = subprocess.run([self.path(), "--socket", self.socket, "--json", "status"], capture_output=True,
                                    env=support.environment())
            if result.returncode == 0 and json.loads(result.stdout)["status"] == "ready":
                return
            self.assertIsNone(self.daemon.poll(), (self.folder / "log").read_bytes())
            pause.wait(0.1)
        self.fail((self.folder / "log").read_bytes())

    def ctl(self, *arguments, status=0, **options):
        return self.run_program("--socket", self.socket, *arguments, status=status, **options)

    def ask(self, *arguments, status=0) -> dict:
        return json.loads(self.ctl("--json", *arguments, status=status).stdout)

    def imprint(self, *arguments, status=0, **options) -> bytes:
        result = subprocess.run([str(support.build_dir() / "tools/imprint"), *map(str, arguments)], cwd=self.folder,
                                capture_output=True, env=support.environment(), **options)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout

    def hash_of(self, name: str) -> str:
        return self.imprint("hash", name).split()[0].decode()

    def test_a_list_lives(self):
        made = self.ask("list", "create", "partner", "--threshold", 23, "--state", "shadow", "--action", "review",
                        "--source", "Partner & Söhne", "--note", "a note", "--quality-floor", 60, "--expiry-days", 30,
                        "--reason", "agreed")
        for key, value in dict(name="partner", threshold=23, state="shadow", action="review", kind="block", note="a note",
                               source="Partner & Söhne", quality_floor=60, expiry_days=30, entries=0).items():
            self.assertEqual(made[key], value, key)
        self.ctl("list", "create", "partner", status=ERROR)
        self.ctl("list", "create", "No Such Name", status=ERROR)
        changed = self.ask("list", "change", "partner", "--state", "active", "--reason", "trial is over")
        self.assertEqual((changed["state"], changed["threshold"]), ("active", 23))
        self.assertEqual(self.ask("list", "show", "partner")["state"], "active")
        self.ctl("list", "change", "nobody", "--note", "x", status=ERROR)
        self.assertIn("partner", self.ctl("list", "show").stdout.decode())
        self.ctl("list", "delete", "partner", "--yes", "--reason", "over")
        self.assertEqual(self.ask("list", "show")["lists"], [])

    def test_more_lists_than_fit_a_page_are_all_shown(self):
        for i in range(120):
            self.ctl("list", "create", f"list{i:03}")
        self.assertEqual([row["name"] for row in self.ask("list", "show")["lists"]], [f"list{i:03}" for i in range(120)])

    def test_an_entry_lives(self):
        self.put("a.png", pictures.rich(1))
        self.put("plain.png", pictures.plain())
        self.ctl("list", "create", "l")
        number = self.hash_of("a.png")
        made = self.ask("entry", "add", "--list", "l", "--quality", 97, "--note", "n", "--expires", "+30", number)
        self.assertEqual((made["hash"], made["list"], made["quality"], made["note"]), (number, "l", 97, "n"))
        self.assertGreater(made["expires"], made["added"])
        identity = made["id"]
        again = self.ask("entry", "add", "--list", "l", "--image", "a.png")
        self.assertEqual(again["id"], identity)
        self.ctl("entry", "add", "--list", "l", "--image", "plain.png", status=ERROR)
        self.ctl("entry", "add", "--list", "nobody", number, status=ERROR)
        self.assertEqual(self.ask("entry", "show", identity)["hash"], number)
        self.assertEqual([row["id"] for row in self.ask("entry", "find", number.upper())["entries"]], [identity])
        self.ctl("match", number, status=MATCH)
        self.ctl("entry", "disable", identity, "--until", "+1", "--reason", "review")
        self.ctl("match", number)
        self.ctl("entry", "enable", identity)
        self.ctl("match", number, status=MATCH)
        self.ctl("entry", "disable", identity)
        self.ctl("match", number)
        self.ctl("entry", "enable", identity)
        self.ctl("entry", "expire", identity, "2020-01-01")
        self.ctl("match", number)
        self.ctl("entry", "expire", identity, "never")
        self.ctl("match", number, status=MATCH)
        self.ctl("entry", "remove", identity, "--reason", "wrong")
        self.ctl("entry", "show", identity, status=ERROR)
        self.ctl("match", number)

    def test_many_entries_are_paged_through(self):
        self.ctl("list", "create", "l")
        hashes = [f"{i:064x}" for i in range(1, 2500)]
        for at in range(0, len(hashes), 800):
            self.ctl("entry", "add", "-l", "l", *hashes[at:at + 800])
        rows = self.ask("entry", "list", "-l", "l", "--limit", 100000)["entries"]
        self.assertEqual([row["hash"] for row in rows], hashes)
        part = self.ask("entry", "list", "-l", "l", "--after", rows[9]["id"], "--limit", 1005)["entries"]
        self.assertEqual([row["id"] for row in part], [row["id"] for row in rows[10:1015]])
        table = self.ctl("entry", "list", "-l", "l", "--limit", 3).stdout.decode().splitlines()
        self.assertEqual(len(table), 4)

    def test_report_match_withdraw(self):
        self.put("a.png", pictures.rich(1))
        self.put("b.png", pictures.rich(2))
        self.put("c.png", pictures.rich(3))
        shown = json.loads(self.imprint("report", "--quiet", "--json", *YES, "a.png", "b.png"))
        self.ctl("list", "create", "reports")
        case = self.ask("report", "accept", "report.json", "--list", "reports")
        self.assertEqual((case["id"], case["state"], case["items"], case["new"]), (shown["case"], "active", 2, True))
        self.assertFalse(self.ask("report", "accept", "report.json", "--list", "reports")["new"])
        self.ctl("scan", "a.png", "c.png", status=MATCH)
        answer = self.ask("match", "b.png", status=MATCH)
        self.assertEqual((answer["name"], answer["matches"][0]["list"], answer["matches"][0]["distance"]),
                         ("b.png", "reports", 0))
        self.assertEqual(self.ctl("scan", "c.png").stdout, b"c.png: OK\n")
        self.assertEqual(self.ask("case", "show", shown["case"].lower())["state"], "active")

        # A withdrawal with another key is refused, and the answer is that of an unknown case.
        self.imprint("withdraw", input=shown["code"].encode())
        file = json.loads((self.folder / "withdrawal.json").read_bytes())
        self.put("forged.json", json.dumps({**file, "key": "00" * 32}).encode())
        refused = self.ctl("case", "withdraw", "--file", "forged.json", status=ERROR).stderr
        self.put("unknown.json", json.dumps({**file, "case": {"id": "0" * 26}}).encode())
        self.assertEqual(self.ctl("case", "withdraw", "--file", "unknown.json", status=ERROR).stderr, refused)
        self.ctl("match", "a.png", status=MATCH)

        self.assertEqual(self.ask("case", "withdraw", "--file", "withdrawal.json")["state"], "withdrawn")
        self.ctl("match", "a.png", "b.png")
        self.ctl("report", "accept", "report.json", "--list", "reports", status=ERROR)

    def test_an_admin_withdraws_with_a_reason(self):
        self.put("a.png", pictures.rich(1))
        shown = json.loads(self.imprint("report", "--quiet", "--json", *YES, "a.png"))
        self.ctl("list", "create", "reports")
        self.ctl("report", "accept", "report.json", "--list", "reports")
        self.ctl("case", "withdraw", shown["case"], "--reason", "asked for by the helpline")
        self.ctl("scan", "a.png")

    def test_low_quality_travels_when_insisted_on(self):
        self.put("faint.png", pictures.faint())
        self.imprint("report", "--quiet", *YES, "--include-low-quality", "faint.png")
        self.ctl("list", "create", "strict")
        self.ctl("list", "create", "open", "--quality-floor", 0)
        self.ctl("report", "accept", "report.json", "--list", "strict", status=ERROR)
        self.assertEqual(self.ask("report", "accept", "report.json", "--list", "open")["items"], 1)

    def test_the_longest_report_is_taken(self):
        self.put("a.png", pictures.rich(1))
        self.imprint("report", "--quiet", *YES, "a.png")
        report = json.loads((self.folder / "report.json").read_bytes())
        report["items"] = [{"hash": f"{i:064x}", "quality": 50, "low_quality": True} for i in range(1, 2001)]
        self.put("long.json", json.dumps(report).encode())
        self.ctl("list", "create", "reports", "--quality-floor", 0)
        self.assertEqual(self.ask("report", "accept", "long.json", "--list", "reports")["items"], 2000)

    def test_scan_ends_as_virus_scanners_do(self):
        self.put("a.png", pictures.rich(1))
        self.put("plain.png", pictures.plain())
        self.put("bad.png", b"not a picture")
        self.ctl("list", "create", "l")
        self.ctl("entry", "add", "-l", "l", "--image", "a.png")
        self.assertEqual(self.ctl("scan", "plain.png", status=UNHASHABLE).stdout, b"plain.png: UNHASHABLE\n")
        self.assertIn(b"image_unknown", self.ctl("scan", "bad.png", status=ERROR).stderr)
        lines = self.ctl("scan", "bad.png", "a.png", "plain.png", status=ERROR).stdout.splitlines()
        self.assertEqual(lines, [b"a.png: l FOUND", b"plain.png: UNHASHABLE"])
        self.ctl("match", "--lists", "nobody", "a.png", status=ERROR)
        self.ctl("match", "--lists", "l", "a.png", status=MATCH)

    def test_status_and_stats_are_shown(self):
        self.assertIn(b"status: ready", self.ctl("status").stdout)
        self.assertEqual(self.ask("status")["entries"], 0)
        self.assertIn("workers", self.ask("stats"))

    def test_every_change_is_in_the_audit_and_it_verifies(self):
        self.ctl("list", "create", "l", "--reason", "a new partner")
        self.ctl("entry", "add", "-l", "l", "11" * 32, "22" * 32)
        records = self.ask("audit")["records"]
        self.assertEqual([(record["verb"], record["uid"]) for record in records],
                         [(verb, os.getuid()) for verb in ("list_create", "entries_add", "entries_add")])
        self.assertEqual(records[0]["reason"], "a new partner")
        self.assertEqual(self.ask("audit", "--after", records[0]["seq"], "--limit", 1)["records"], records[1:2])
        self.assertIn("a new partner", self.ctl("audit").stdout.decode())
        self.assertNotIn("11" * 32, self.ctl("audit", "--json").stdout.decode())
        answer = self.ask("audit", "verify")
        self.assertEqual((answer["intact"], answer["records"]), (True, 3))

    def test_a_backup_is_a_list_of_its_own(self):
        self.ctl("list", "create", "l")
        self.ctl("entry", "add", "-l", "l", "11" * 32)
        self.ctl("backup", "copy")
        self.assertTrue((self.folder / "copy").exists())
        self.ctl("backup", "copy", status=ERROR)
        self.assertGreater(self.ask("compact", "--reason", "nightly")["file_bytes"], 0)
        self.ctl("match", "11" * 32, status=MATCH)

    def test_what_is_no_report_is_refused_and_changes_nothing(self):
        self.ctl("list", "create", "reports")
        self.put("a.png", pictures.rich(1))
        self.imprint("report", "--quiet", *YES, "a.png")
        report = json.loads((self.folder / "report.json").read_bytes())
        for change in ({"name": "a.png"}, {"items": []}, {"format": "imprint-report/2"}, {"algorithm": "pdq/2"}):
            self.put("bad.json", json.dumps({**report, **change}).encode())
            self.assertIn(b"report_invalid", self.ctl("report", "accept", "bad.json", "-l", "reports", status=ERROR).stderr)
        self.put("huge.json", b" " * ((1 << 20) + 1))
        self.ctl("report", "accept", "huge.json", "-l", "reports", status=ERROR)
        self.assertEqual(self.ask("list", "show", "reports")["entries"], 0)


class Gone(support.ProgramTest):
    program = "imprintctl"

    def test_a_stale_socket_is_unreachable(self):
        import socket
        path = str(self.folder / "s")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
        self.assertTrue(Path(path).exists() and not os.path.isfile(path))
        self.run_program("--socket", path, "status", status=UNREACHABLE)


if __name__ == "__main__":
    support.main()
