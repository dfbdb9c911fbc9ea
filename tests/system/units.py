#!/usr/bin/env python3
"""The systemd units: verified, scored, and their users and directories made in a scratch root. Each check is also
shown to fail on a unit that is broken on purpose.

usage: units.py BUILD_DIR [unittest arguments]"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "systemd"
BUILD = Path(".")
EXPOSURE_MAX = "10"  # in tenths


class Units(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="imprint-units-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        text = (BUILD / "systemd/imprintd.service").read_text()
        self.assertNotIn("@CMAKE", text)
        # The installed path need not exist where this runs.
        self.service = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M)
        for name in ("imprintd-query.socket", "imprintd-admin.socket"):
            shutil.copy(SOURCE / name, self.folder)

    def verify(self, service: str) -> subprocess.CompletedProcess:
        (self.folder / "imprintd.service").write_text(service)
        return subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, sorted(self.folder.iterdir()))],
                              capture_output=True, text=True)

    def ours(self, result) -> str:
        """What is said about our units; the machine's own may have flaws of theirs."""
        return "\n".join(line for line in result.stderr.splitlines() if "imprint" in line)

    def test_verify_has_nothing_to_say(self):
        result = self.verify(self.service)
        self.assertEqual((self.ours(result), result.returncode), ("", 0), result.stderr)

    def test_verify_would_notice(self):
        result = self.verify(self.service.replace("PrivateTmp=yes", "PrivateTmpp=yes"))
        self.assertIn("PrivateTmpp", self.ours(result))

    def score(self, service: str) -> subprocess.CompletedProcess:
        path = self.folder / "imprintd.service"
        path.write_text(service)
        return subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=yes",
                               f"--threshold={EXPOSURE_MAX}", str(path)], capture_output=True, text=True)

    def test_exposure_is_at_most_one(self):
        result = self.score(self.service)
        print(result.stdout.strip().splitlines()[-1])
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_a_weaker_unit_would_not_pass(self):
        weaker = re.sub(r"^(CapabilityBoundingSet|SystemCallFilter|PrivateNetwork)=.*\n", "", self.service, flags=re.M)
        self.assertNotEqual(self.score(weaker).returncode, 0)

    def test_the_workers_may_build_their_own_cage(self):
        """The last word on each call counts, and it allows."""
        allowed = set()
        for line in re.findall(r"^SystemCallFilter=(.*)$", self.service, flags=re.M):
            words = line.lstrip("~").split()
            allowed = allowed - set(words) if line.startswith("~") else allowed | set(words)
        self.assertLessEqual({"seccomp", "landlock_create_ruleset", "landlock_restrict_self", "setrlimit", "prlimit64"},
                             allowed)

    def test_pictures_reach_neither_core_files_nor_swap(self):
        for line in ("LimitCORE=0", "MemorySwapMax=0"):
            self.assertIn(f"\n{line}\n", self.service)

    def test_sockets_are_named_and_kept_from_others(self):
        for role in ("query", "admin"):
            text = (SOURCE / f"imprintd-{role}.socket").read_text()
            for line in (f"FileDescriptorName={role}", "SocketMode=0660", f"SocketGroup=imprint-{role}",
                         f"ListenStream=/run/imprint/{role}.sock"):
                self.assertIn(f"\n{line}\n", text)

    @unittest.skipUnless(os.geteuid() == 0, "makes files owned by others")
    def test_users_and_directories_are_made(self):
        root = self.folder / "root"
        (root / "etc").mkdir(parents=True)
        subprocess.run(["systemd-sysusers", f"--root={root}", str(SOURCE / "imprint.sysusers")], check=True,
                       capture_output=True)
        users = {line.split(":")[0]: line.split(":") for line in (root / "etc/passwd").read_text().splitlines()}
        groups = {line.split(":")[0] for line in (root / "etc/group").read_text().splitlines()}
        self.assertIn("nologin", users["imprint"][6])
        self.assertLessEqual({"imprint", "imprint-query", "imprint-admin"}, groups)
        result = subprocess.run(["systemd-tmpfiles", f"--root={root}", "--create", str(SOURCE / "imprint.tmpfiles")],
                                capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((root / "run/imprint").stat().st_mode & 0o777, 0o755)
        self.assertEqual((root / "var/lib/imprint").stat().st_mode & 0o777, 0o700)
        self.assertEqual((root / "var/lib/imprint").stat().st_uid, int(users["imprint"][2]))

    def test_the_configuration_is_one_the_daemon_takes(self):
        daemon = BUILD / "daemon/imprintd"
        if not daemon.exists():
            self.skipTest("imprintd is not built")
        result = subprocess.run([daemon, "--check", "--config", SOURCE / "imprintd.conf"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    BUILD = Path(sys.argv.pop(1)).resolve()
    unittest.main()
