#!/usr/bin/env python3
"""The documents against the programs: every command and option of the help stands in the manual page and the other way
round, every exit status too; the example of docs/formats.md is computed; the completions offer what the help knows."""
import re
import shutil
import subprocess
import unittest

import support

PAGES = {"imprint": "docs/man/imprint.1", "imprintctl": "docs/man/imprintctl.8"}


def help_of(program: str, *command) -> str:
    return subprocess.run([str(support.build_dir() / "tools" / program), "help", *command], check=True,
                          capture_output=True, text=True, env=support.environment()).stdout


def commands_of(program: str) -> list:
    section = help_of(program).split("Commands:")[1].split("Options:")[0]
    return [line[2:].split("  ")[0] for line in section.splitlines() if line.startswith("  ") and "help [" not in line]


def options_of(text: str) -> set:
    return set(re.findall(r"^ .*?--([a-z-]+)(?: [A-Z]+)?(?:  |$)", text, flags=re.M))


def all_options(program: str) -> set:
    return options_of(help_of(program)).union(*(options_of(help_of(program, *c.split())) for c in commands_of(program)))


class Manuals(unittest.TestCase):
    def test_every_option_and_command_is_explained_and_no_other(self):
        for program, page in PAGES.items():
            text = (support.ROOT / page).read_text()
            options = all_options(program)
            self.assertGreater(len(options), 8)
            self.assertEqual(set(re.findall(r"\bFl -([a-z-]+)", text)), options, page)
            for command in commands_of(program):
                self.assertRegex(text, rf"(?m)^\.(It )?Cm ({command}|.*\| {command})\b", f"{page}: {command}")

    def test_every_exit_status_is_explained(self):
        for program, page in PAGES.items():
            told = set(re.findall(r"^  ([0-9])  ", help_of(program), flags=re.M))
            self.assertGreater(len(told), 3)
            section = (support.ROOT / page).read_text().split(".Sh EXIT STATUS")[1].split(".Sh")[0]
            self.assertEqual(set(re.findall(r"^\.It ([0-9])$", section, flags=re.M)), told, page)

    def test_every_key_of_the_configuration_is_explained_and_no_other(self):
        table = (support.ROOT / "daemon/config.c").read_text().split("config_key keys[] = {")[1].split("\n};")[0]
        keys = set(re.findall(r"(?:TEXT|NUMBER|BYTES|MODE|CHOICE)\((\w+)", table))
        self.assertGreater(len(keys), 20)
        page = (support.ROOT / "docs/man/imprintd.conf.5").read_text()
        told = {key for line in re.findall(r"^\.It Ic (.*)$", page, flags=re.M) for key in re.findall(r"\w+", line)}
        self.assertEqual(told, keys)

    def test_every_option_of_the_daemon_is_explained_and_no_other(self):
        source = (support.ROOT / "daemon/main.c").read_text()
        options = set(re.findall(r'\{"([a-z-]+)", (?:required|no)_argument', source))
        self.assertGreater(len(options), 5)
        page = (support.ROOT / "docs/man/imprintd.8").read_text()
        self.assertEqual(set(re.findall(r"^\.It Fl -([a-z-]+)", page, flags=re.M)), options)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc_has_nothing_to_say(self):
        pages = sorted((support.ROOT / "docs/man").glob("*.[1-8]"))
        self.assertGreater(len(pages), 1)
        result = subprocess.run(["mandoc", "-T", "lint", "-W", "style", *map(str, pages)], capture_output=True, text=True)
        # Whether our own pages are installed here says nothing about them.
        said = [line for line in result.stdout.splitlines() if "referenced manual not found: Xr imprint" not in line]
        self.assertEqual(said, [])


class Formats(unittest.TestCase):
    def test_the_worked_example_is_right(self):
        text = (support.ROOT / "docs/formats.md").read_text()
        root = bytes(range(16))
        code = re.search(r"The root `000102…0f` is `([0-9A-Z-]+)`", text).group(1)
        self.assertEqual(support.read_code(code), root)
        told = dict(re.findall(r"^(case number|\w+ key|\w+ verifier) +(\S+)$", text, flags=re.M))
        expected = {"case number": support.case_text(support.derive(root, "status")[0])}
        for use in ("status", "withdraw", "append"):
            _, key, verifier = support.derive(root, use)
            expected |= {f"{use} key": key.hex(), f"{use} verifier": verifier.hex()}
        self.assertEqual(told, expected)


class Completion(unittest.TestCase):
    def bash(self, *words) -> set:
        script = f"""
            PATH={support.build_dir()}/tools:$PATH
            . {support.ROOT}/tools/completion/imprint.bash
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            _imprint "$1"
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        result = subprocess.run(["bash", "-u", "-c", script, "bash", *words], capture_output=True,
                                text=True, env=support.environment())
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return set(result.stdout.split())

    def zsh(self, *words) -> set:
        script = f"""
            path=({support.build_dir()}/tools $path)
            . {support.ROOT}/tools/completion/_imprint
            compadd() {{ shift; print -l -- "$@" }}
            _files() {{ print FILES }}
            words=("$@"); CURRENT=$#
            _imprint
        """
        result = subprocess.run(["zsh", "-f", "-c", script, "zsh", *words], capture_output=True, text=True,
                                env=support.environment())
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return set(result.stdout.split())

    def check(self, complete):
        for program in PAGES:
            commands = commands_of(program)
            offered = complete(program, "")
            self.assertEqual(offered, {command.split()[0] for command in commands} | {"help"})
            for command in commands:
                words = command.split()
                if len(words) == 2:
                    self.assertIn(words[1], complete(program, words[0], ""))
                    self.assertIn(words[1], complete(program, "help", words[0], ""))
                offered = {option.rstrip("=") for option in complete(program, *words, "--")}
                self.assertEqual(offered, {f"--{option}" for option in options_of(help_of(program, *words))}, command)

    def test_bash_offers_every_command_and_option(self):
        self.check(self.bash)
        self.assertEqual(self.bash("imprintctl", "li"), {"list"})

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_offers_every_command_and_option(self):
        self.check(self.zsh)
        self.assertEqual(self.zsh("imprint", "hash", ""), {"FILES"})


if __name__ == "__main__":
    support.main()
