#!/usr/bin/env python3
"""imprintctl without a daemon: help, what is not understood, and how it ends when nobody answers."""
import unittest

import support
from support import ERROR, UNREACHABLE

HASH = "0123456789abcdef" * 4
NOBODY = {"IMPRINT_ADMIN_SOCKET": "/nonexistent/admin.sock"}


class Usage(support.ProgramTest):
    program = "imprintctl"

    def test_help_explains_every_command(self):
        text = self.run_program("help").stdout.decode()
        commands = [line[2:30].strip() for line in text.split("Commands:")[1].split("Options:")[0].splitlines()
                    if line.startswith("  ")]
        self.assertGreater(len(commands), 15)
        for command in commands[:-1]:
            words = command.split()
            shown = self.run_program("help", *words).stdout
            self.assertIn(f"Usage: imprintctl {command}".encode(), shown)
            self.assertEqual(shown, self.run_program(*words, "--help").stdout)

    def test_half_a_command_names_the_whole_ones(self):
        result = self.run_program("list", status=ERROR)
        self.assertIn(b"imprintctl list create", result.stderr)

    def test_what_is_not_understood_is_told_before_anybody_is_asked(self):
        for arguments in (("dance",), ("list", "create"), ("list", "create", "a", "b"), ("list", "change", "a"),
                          ("list", "create", "a", "--threshold", "64"), ("list", "create", "a", "--threshold", "-1"),
                          ("list", "create", "a", "--threshold", "3x"), ("list", "delete", "a"),
                          ("entry", "add", HASH), ("entry", "add", "--list", "a"), ("entry", "add", "-l", "a", "abc"),
                          ("entry", "add", "-l", "a", "--image", "x.png", HASH), ("entry", "show", "0"),
                          ("entry", "add", "-l", "a", "--expires", "2027-02-30", HASH), ("entry", "find", "xyz"),
                          ("entry", "add", "-l", "a", "--image", "missing.png"), ("entry", "list"),
                          ("entry", "expire", "1", "tomorrow"), ("report", "accept", "r.json"),
                          ("report", "accept", "missing.json", "--list", "a"), ("case", "show", "123"),
                          ("case", "withdraw"), ("case", "withdraw", "0" * 26), ("match",), ("match", "missing.png"),
                          ("audit", "--limit", "0"), ("status", "--timeout", "soon"), ("status", "extra")):
            result = self.run_program(*arguments, status=ERROR, env=NOBODY)
            self.assertNotEqual(result.stderr, b"", arguments)
            self.assertNotIn(b"cannot be reached", result.stderr, arguments)

    def test_nobody_there_has_a_status_of_its_own(self):
        self.put("x.png", b"x")
        self.put("w.json", b'{"case":{"id":"' + b"0" * 26 + b'"}}')
        for arguments in (("status",), ("list", "show"), ("list", "show", "a"), ("entry", "add", "-l", "a", HASH),
                          ("match", HASH), ("match", "x.png"), ("scan", "x.png"), ("audit",),
                          ("case", "withdraw", "--file", "w.json"), ("list", "delete", "a", "--yes"),
                          ("--socket", "/nonexistent/s", "status"), ("status", "--socket=/nonexistent/s")):
            result = self.run_program(*arguments, status=UNREACHABLE, env=NOBODY)
            self.assertIn(b"cannot be reached", result.stderr, arguments)
            self.assertEqual(result.stdout, b"")


if __name__ == "__main__":
    support.main()
