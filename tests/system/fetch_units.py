#!/usr/bin/env python3
"""The units that follow a feed: verified, scored, and their command is one that imprintctl understands. The checks are
also shown to fail on a unit that is broken on purpose.

usage: fetch_units.py BUILD_DIR [unittest arguments]"""
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(".")
# It must reach the network, which counts 0.5 to 1 in itself.
EXPOSURE_MAX = "20"  # in tenths


class FetchUnits(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="imprint-units-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.service = (BUILD / "systemd/imprint-fetch@.service").read_text()
        self.assertNotIn("@CMAKE", self.service)
        shutil.copy(ROOT / "systemd/imprint-fetch@.timer", self.folder / "imprint-fetch@stopncii.timer")

    def write(self, service: str) -> Path:
        path = self.folder / "imprint-fetch@stopncii.service"
        path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", service, flags=re.M))
        return path

    def verify(self, service: str) -> str:
        self.write(service)
        result = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, sorted(self.folder.iterdir()))],
                                capture_output=True, text=True)
        return "\n".join(line for line in result.stderr.splitlines() if "imprint" in line)

    def passes(self, service: str) -> bool:
        result = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=yes",
                                 f"--threshold={EXPOSURE_MAX}", str(self.write(service))], capture_output=True, text=True)
        print(result.stdout.strip().splitlines()[-1])
        return result.returncode == 0

    def test_verify_has_nothing_to_say_and_would(self):
        self.assertEqual(self.verify(self.service), "")
        self.assertIn("DynamicUserr", self.verify(self.service.replace("DynamicUser=", "DynamicUserr=")))

    def test_exposure_is_low_and_a_weaker_unit_would_not_pass(self):
        self.assertTrue(self.passes(self.service))
        self.assertFalse(self.passes(re.sub(r"^(CapabilityBoundingSet|SystemCallFilter|DynamicUser)=.*\n", "",
                                            self.service, flags=re.M)))

    def test_the_command_is_understood(self):
        command = re.search(r"^ExecStart=(.*)$", self.service, flags=re.M).group(1).split()[1:]
        places = {"%i": "stopncii", "%S": str(self.folder), "%d": str(self.folder)}
        for mark, value in places.items():
            command = [word.replace(mark, value) for word in command]
        keys = self.folder / "keys"
        keys.write_text('{"function_key": "f", "subscription_key": "s"}')
        keys.chmod(0o400)
        result = subprocess.run([BUILD / "tools/imprintctl", "--socket", self.folder / "none", *command],
                                capture_output=True, text=True)
        # Everything is in order but that there is no daemon.
        self.assertEqual(result.returncode, 4, result.stderr)


if __name__ == "__main__":
    BUILD = Path(sys.argv.pop(1)).resolve()
    unittest.main()
