#!/usr/bin/env python3
"""What the companion must not do, looked at from outside: the executable has no network symbol, and the system calls
of a whole report show no socket, no picture opened before the age question, and no file made but the one asked for."""
import re
import shutil
import subprocess
import unittest

import pictures
import support

YES = ("--everyone-was-adult", "yes", "--it-is-me", "yes", "--i-understand", "yes")
NETWORK = ("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "recvfrom",
           "getaddrinfo", "gethostbyname", "res_query", "execve", "execvp", "system", "popen", "dlopen")


class Quiet(support.ProgramTest):
    program = "imprint"

    def trace(self, *arguments, status=0) -> list:
        if shutil.which("strace") is None:
            self.fail("strace is not installed")
        log = self.folder.parent / f"{self.folder.name}.strace"
        self.addCleanup(log.unlink, missing_ok=True)
        result = subprocess.run(["strace", "-f", "-o", log, self.path(), *arguments], cwd=self.folder,
                                capture_output=True, stdin=subprocess.DEVNULL, env=support.environment())
        self.assertEqual(result.returncode, status, result.stderr)
        return log.read_text().splitlines()

    def test_no_network_symbol(self):
        symbols = subprocess.run(["nm", "-D", self.path()], capture_output=True, text=True, check=True).stdout
        names = {line.split()[-1].split("@")[0] for line in symbols.splitlines()}
        self.assertIn("open64" if "open64" in names else "open", names)  # nm does see what is imported
        self.assertEqual(names & set(NETWORK), set())

    def test_the_static_program_needs_nothing_and_does_the_same(self):
        static = support.build_dir() / "tools/imprint-static"
        if not static.exists():
            self.skipTest("imprint-static is not built")
        headers = subprocess.run(["readelf", "-ld", static], capture_output=True, text=True, check=True).stdout
        self.assertNotIn("(NEEDED)", headers)
        self.assertNotIn("INTERP", headers)
        symbols = subprocess.run(["nm", static], capture_output=True, text=True, check=True).stdout
        names = {line.split()[-1] for line in symbols.splitlines() if line}
        self.assertIn("companion_report", names)
        # The C library brings a few socket calls that nobody makes (the cage would refuse them).
        self.assertEqual(names & {"connect", "listen", "accept", "getaddrinfo", "gethostbyname", "execve"}, set())
        self.put("a.png", pictures.rich(1))
        result = subprocess.run([static, "hash", "a.png"], cwd=self.folder, capture_output=True, env={})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, self.run_program("hash", "a.png").stdout)

    def test_a_report_opens_no_socket_and_makes_one_file(self):
        self.put("a.png", pictures.rich(1))
        lines = self.trace("report", *YES, "-o", "out.json", "a.png")
        calls = [line.split(None, 1)[1] for line in lines]
        self.assertTrue(any('"a.png"' in call for call in calls))  # the trace does show opens
        self.assertEqual([c for c in calls if re.match(r"(socket|socketpair|connect|bind|sendto|sendmsg)\(", c)], [])
        self.assertEqual([c for c in calls if re.match(r"(execve|fork|vfork|clone3?)\(", c)][1:], [])
        made = [c for c in calls if re.match(r"(open|openat|creat)\(", c) and "O_CREAT" in c]
        self.assertEqual(len(made), 1, made)
        self.assertRegex(made[0], r'"out\.json\.\w{6}".*0600')
        self.assertEqual([c for c in calls if re.match(r"(link|symlink|mkdir|mknod|truncate|chmod)\w*\(", c)], [])
        self.assertEqual(self.names(), {"a.png", "out.json"})

    def test_core_files_and_debuggers_are_shut_out_before_a_picture_is_opened(self):
        self.put("a.png", pictures.rich(1))
        lines = self.trace("hash", "a.png")
        opened = next(i for i, line in enumerate(lines) if '"a.png"' in line and "open" in line)
        before = "\n".join(lines[:opened])
        self.assertRegex(before, r"PR_SET_DUMPABLE, (SUID_DUMP_DISABLE|0)")
        self.assertRegex(before, r"RLIMIT_CORE, .*rlim_cur=0, rlim_max=0")

    def test_the_cage_stands_before_a_picture_is_read(self):
        self.put("a.png", pictures.rich(1))
        for arguments in (("hash", "a.png"), ("report", *YES, "a.png")):
            lines = self.trace(*arguments)
            read = next(i for i, line in enumerate(lines) if '"a.png"' in line and "O_RDONLY" in line and "O_PATH" not in line)
            before = "\n".join(lines[:read])
            self.assertRegex(before, r"PR_SET_NO_NEW_PRIVS, 1.*= 0")
            self.assertRegex(before, r"seccomp\(SECCOMP_SET_MODE_FILTER.*= 0")
            self.assertEqual([line for line in lines[read:] if "EPERM" in line], [])

    def test_no_picture_is_opened_where_somebody_may_be_under_18(self):
        self.put("a.png", pictures.rich(1))
        for answer in ("no", "unsure"):
            lines = self.trace("report", "--everyone-was-adult", answer, "a.png", status=support.REFERRED)
            self.assertEqual([line for line in lines[1:] if "a.png" in line], [])
            self.assertNotIn("seccomp(", "".join(lines))


if __name__ == "__main__":
    support.main()
