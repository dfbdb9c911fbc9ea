#!/usr/bin/env python3
"""The companion as people and scripts run it: what it prints, what it saves, how it ends, and what it must never do.
Codes and verifiers are recomputed with another implementation; reports are checked against docs/report.schema.json."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
import unittest

import pictures
import schema
import support
from support import ERROR, REFERRED, STOPPED, UNHASHABLE

YES = ("--everyone-was-adult", "yes", "--it-is-me", "yes", "--i-understand", "yes")
SCHEMA = json.loads((support.ROOT / "docs/report.schema.json").read_text())


class Companion(support.ProgramTest):
    program = "imprint"


class Hash(Companion):
    def test_prints_hash_quality_and_name(self):
        self.put("a.png", pictures.rich(1))
        words = self.run_program("hash", "a.png").stdout.decode().split()
        self.assertRegex(words[0], r"^[0-9a-f]{64}$")
        self.assertEqual(words[1:], ["100", "a.png"])

    def test_goes_on_after_a_bad_file(self):
        self.put("a.png", pictures.rich(1))
        self.put("bad.png", b"not a picture")
        self.put("cut.png", pictures.rich(2)[:300])
        self.put("empty.png", b"")
        result = self.run_program("hash", "bad.png", "missing.png", "cut.png", "empty.png", "a.png", status=ERROR)
        self.assertEqual(len(result.stdout.splitlines()), 1)
        self.assertEqual(len(result.stderr.splitlines()), 4, result.stderr)

    def test_a_folder_is_every_picture_in_it(self):
        for name in ("f/b.png", "f/a.png", "f/deep/er/c.png"):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pictures.rich(len(name)))
        (self.folder / "f/notes.txt").write_text("no picture")
        (self.folder / "f/cut.png").write_bytes(pictures.rich(2)[:300])
        (self.folder / "f/empty").touch()
        (self.folder / "f/loop").symlink_to(self.folder / "f")
        (self.folder / "outside.png").write_bytes(pictures.rich(9))
        (self.folder / "f/link.png").symlink_to(self.folder / "outside.png")
        result = self.run_program("hash", "f", status=ERROR)
        self.assertEqual([line.split()[2].decode() for line in result.stdout.splitlines()],
                         ["f/a.png", "f/b.png", "f/deep/er/c.png"])
        self.assertEqual(result.stderr.count(b"\n"), 1)
        self.assertIn(b"f/cut.png", result.stderr)
        (self.folder / "link").symlink_to("f/deep")
        self.assertEqual(len(self.run_program("hash", "link").stdout.splitlines()), 1)

    def test_a_plain_picture_has_an_end_of_its_own(self):
        self.put("plain.png", pictures.plain())
        self.assertEqual(self.run_program("hash", "plain.png", status=UNHASHABLE).stdout, b"")
        answer = json.loads(self.run_program("hash", "--json", "plain.png", status=UNHASHABLE).stdout)
        self.assertIsNone(answer["hash"])

    def test_json_is_one_object_a_line_whatever_the_name(self):
        name = b"odd \"name\" \xff\n.png"
        (self.folder / os.fsdecode(name)).write_bytes(pictures.rich(1))
        self.put("bad.png", b"x")
        result = self.run_program("hash", "--json", os.fsdecode(name), "bad.png", status=ERROR)
        first, second = map(json.loads, result.stdout.splitlines())
        self.assertEqual(first["name"], "odd \"name\" \ufffd\n.png")
        self.assertEqual((first["width"], first["height"], first["format"]), (160, 160, "png"))
        self.assertEqual(second["error"]["code"], "image_unknown")

    def test_a_name_cannot_forge_a_line(self):
        self.put("a\nffff 100 b.png", pictures.rich(1))
        self.assertEqual(self.run_program("hash", "a\nffff 100 b.png").stdout.count(b"\n"), 1)

    def test_standard_input_is_a_dash(self):
        self.put("a.png", pictures.rich(1))
        named = self.run_program("hash", "a.png").stdout.split()[0]
        self.assertEqual(self.run_program("hash", "-", input=pictures.rich(1)).stdout.split()[0], named)

    def test_views_begin_with_the_upright_one(self):
        self.put("a.png", pictures.rich(1))
        plain = self.run_program("hash", "a.png").stdout.split()[0]
        lines = [line.split() for line in self.run_program("hash", "--views", "a.png").stdout.splitlines()]
        self.assertGreaterEqual(len(lines), 8)
        self.assertEqual((lines[0][0], lines[0][2]), (plain, b"upright"))

    def test_policy_is_exact_or_fast(self):
        self.put("a.png", pictures.rich(1))
        exact = self.run_program("hash", "a.png").stdout
        self.assertEqual(self.run_program("hash", "--policy", "exact", "a.png").stdout, exact)
        self.run_program("hash", "--policy=fast", "a.png")
        self.run_program("hash", "--policy", "lucky", "a.png", status=ERROR)


class Report(Companion):
    def make(self, *arguments, status=0) -> tuple:
        """(report, code, result)"""
        result = self.run_program("report", *YES, "--json", *arguments, status=status)
        return json.loads((self.folder / "report.json").read_bytes()), json.loads(result.stdout), result

    def test_is_of_the_documented_shape(self):
        self.put("a.png", pictures.rich(1))
        report, _, _ = self.make("a.png")
        self.assertEqual(schema.problems(report, SCHEMA), [])
        self.assertEqual(list(report), SCHEMA["required"])
        status = (self.folder / "report.json").stat()
        self.assertEqual(status.st_mode & 0o777, 0o600)
        self.assertEqual(status.st_size % 4096, 0)
        self.assertIn(report["case"]["day"], {time.strftime("%Y-%m-%d", time.gmtime(time.time() - late)) for late in (0, 60)})

    def test_of_a_screenshot_it_holds_the_picture_in_it(self):
        for seed in (1, 2):
            for edit in ("plain", "screenshot: feed"):
                subprocess.run([support.build_dir() / "tests" / "edit_file", str(seed), edit, self.folder / f"{edit}{seed}.jpg"],
                               check=True)
        hashes = {name: int(self.run_program("hash", name).stdout.split()[0], 16) for name in
                  ("plain1.jpg", "plain2.jpg", "screenshot: feed1.jpg")}
        report, _, _ = self.make("screenshot: feed1.jpg")
        reported = int(report["items"][0]["hash"], 16)
        distance = {name: (reported ^ value).bit_count() for name, value in hashes.items()}
        self.assertLessEqual(distance["plain1.jpg"], 31)
        self.assertGreater(distance["plain2.jpg"], 63)
        self.assertGreater(distance["screenshot: feed1.jpg"], 31)

    def test_half_a_picture_is_hashed_with_a_word_but_not_reported(self):
        subprocess.run([support.build_dir() / "tests" / "edit_file", "1", "plain", self.folder / "whole.jpg"], check=True)
        whole = (self.folder / "whole.jpg").read_bytes()
        self.put("half.jpg", whole[:len(whole) // 2])
        result = self.run_program("hash", "--json", "half.jpg")
        self.assertTrue(json.loads(result.stdout)["truncated"])
        self.assertIn(b"ends early", result.stderr)
        self.run_program("report", *YES, "half.jpg", status=ERROR)
        self.assertNotIn("report.json", self.names())

    def test_the_schema_refuses_what_it_should(self):
        self.put("a.png", pictures.rich(1))
        report, _, _ = self.make("a.png")
        for change in (lambda r: r.update(name="a.png"), lambda r: r["items"][0].update(width=160),
                       lambda r: r["case"].update(id="U" * 26), lambda r: r["statements"].update(adult=False),
                       lambda r: r.pop("padding"), lambda r: r.update(padding="x"), lambda r: r.update(items=[]),
                       lambda r: r["items"][0].update(quality=101), lambda r: r["case"].update(day="2026-11-22T10")):
            broken = json.loads(json.dumps(report))
            change(broken)
            self.assertNotEqual(schema.problems(broken, SCHEMA), [])

    def test_holds_the_hash_and_the_verifiers_of_the_code(self):
        self.put("a.png", pictures.rich(1))
        report, shown, _ = self.make("a.png")
        printed = self.run_program("hash", "a.png").stdout.split()[0].decode()
        self.assertEqual([item["hash"] for item in report["items"]], [printed])
        root = support.read_code(shown["code"])
        for use in ("status", "withdraw", "append"):
            case, _, verifier = support.derive(root, use)
            self.assertEqual(report["case"][f"{use}_verifier"], verifier.hex())
            self.assertEqual(report["case"]["id"], support.case_text(case))
        self.assertEqual(shown["case"], report["case"]["id"])

    def test_says_nothing_else_about_picture_or_person(self):
        folder = self.folder / "Holiday-in-Rome"
        folder.mkdir()
        (folder / "jane-private.png").write_bytes(pictures.with_secrets(1))
        self.make("Holiday-in-Rome/jane-private.png")
        # Hashes, verifiers and the case number are as good as random: any short word may stand in them by chance.
        text = re.sub(r'"[0-9a-f]{64}"|"[0-9A-Z]{26}"', '""', (self.folder / "report.json").read_text())
        for word in ("jane", "Holiday", "Rome", "png", str(self.folder), pictures.PLANTED, "160", os.uname().nodename):
            self.assertNotIn(word.lower(), text.lower())

    def test_the_code_is_shown_once_and_only_on_standard_output(self):
        self.put("a.png", pictures.rich(1))
        result = self.run_program("report", *YES, "a.png")
        codes = [line.split()[-1].decode() for line in result.stdout.splitlines() if line.startswith(b"Code:")]
        self.assertEqual(len(codes), 1)
        support.read_code(codes[0])
        self.assertNotIn(codes[0].encode(), result.stderr)
        self.assertNotIn(codes[0], (self.folder / "report.json").read_text())

    def test_two_reports_have_nothing_in_common_but_the_hash(self):
        self.put("a.png", pictures.rich(1))
        first, one, _ = self.make("a.png")
        second, two, _ = self.make("--force", "a.png")
        self.assertNotEqual(one["code"], two["code"])
        for key in ("id", "status_verifier", "withdraw_verifier", "append_verifier"):
            self.assertNotEqual(first["case"][key], second["case"][key])

    def test_duplicates_are_dropped_and_the_order_is_lost(self):
        names = [self.put(f"{i}.png", pictures.rich(i)).name for i in range(12)]
        given = [line.split()[0].decode() for line in self.run_program("hash", *names).stdout.splitlines()]
        orders = set()
        for _ in range(3):
            report, shown, _ = self.make("--force", *names, *names)
            hashes = tuple(item["hash"] for item in report["items"])
            self.assertEqual(sorted(hashes), sorted(given))
            self.assertEqual(shown["pictures"], 12)
            orders.add(hashes)
        # By chance: 1 in 12! squared.
        self.assertGreater(len(orders | {tuple(given)}), 2)

    def test_age_comes_first_and_a_doubt_ends_in_a_referral(self):
        for answer in ("no", "unsure"):
            result = self.run_program("report", "--everyone-was-adult", answer, "--it-is-me", "yes", "--i-understand",
                                      "yes", "missing.png", status=REFERRED)
            for words in (b"ceop.police.uk", b"Report Remove", b"0800 1111"):
                self.assertIn(words, result.stderr)
            self.assertNotIn(b"No such file", result.stderr)
            self.assertEqual(result.stdout, b"")
        self.assertEqual(self.names(), set())

    def test_every_statement_is_needed(self):
        self.put("a.png", pictures.rich(1))
        for missing in ("--everyone-was-adult", "--it-is-me", "--i-understand"):
            at = YES.index(missing)
            self.run_program("report", *YES[:at], *YES[at + 2:], "a.png", status=ERROR)
            self.run_program("report", *YES[:at], missing, "perhaps", *YES[at + 2:], "a.png", status=ERROR)
            if missing != "--everyone-was-adult":
                self.run_program("report", *YES[:at], missing, "no", *YES[at + 2:], "a.png", status=STOPPED)
        self.assertEqual(self.names(), {"a.png"})

    def test_a_bad_picture_is_left_out_and_told(self):
        self.put("a.png", pictures.rich(1))
        self.put("bad.png", b"x")
        report, shown, result = self.make("bad.png", "a.png", status=ERROR)
        self.assertEqual((len(report["items"]), shown["pictures"]), (1, 1))
        self.assertIn(b"Picture 1 was left out", result.stderr)
        self.assertNotIn(b"bad.png", result.stderr)

    def test_a_folder_goes_into_one_report(self):
        (self.folder / "f").mkdir()
        for i in range(3):
            (self.folder / f"f/{i}.png").write_bytes(pictures.rich(i))
        (self.folder / "f/.thumbs").write_bytes(b"not a picture")
        report, shown, result = self.make("f")
        self.assertEqual((len(report["items"]), shown["pictures"]), (3, 3))
        self.assertNotIn(b"left out", result.stderr)

    def test_low_quality_only_when_insisted_on(self):
        self.put("faint.png", pictures.faint())
        self.put("a.png", pictures.rich(1))
        report, _, _ = self.make("faint.png", "a.png", status=UNHASHABLE)
        self.assertEqual(len(report["items"]), 1)
        report, _, _ = self.make("--force", "--include-low-quality", "faint.png", "a.png")
        low = [item for item in report["items"] if item["quality"] < 50]
        self.assertEqual([item.get("low_quality") for item in low], [True])
        self.assertEqual(schema.problems(report, SCHEMA), [])

    def test_nothing_usable_makes_nothing(self):
        self.put("plain.png", pictures.plain())
        self.run_program("report", *YES, "plain.png", status=UNHASHABLE)
        self.run_program("report", *YES, "missing.png", status=ERROR)
        self.assertEqual(self.names(), {"plain.png"})

    def test_a_file_is_never_replaced_unasked(self):
        self.put("a.png", pictures.rich(1))
        self.put("report.json", b"mine")
        result = self.run_program("report", *YES, "a.png", status=ERROR)
        self.assertEqual((self.folder / "report.json").read_bytes(), b"mine")
        self.assertEqual(result.stdout, b"")
        self.run_program("report", *YES, "--force", "a.png")
        self.assertNotEqual((self.folder / "report.json").read_bytes(), b"mine")
        self.assertEqual(self.names(), {"a.png", "report.json"})

    def test_a_report_that_cannot_be_saved_shows_no_code(self):
        self.put("a.png", pictures.rich(1))
        result = self.run_program("report", *YES, "-o", "no/such/folder.json", "a.png", status=ERROR)
        self.assertEqual(result.stdout, b"")

    def test_a_code_that_cannot_be_shown_leaves_no_report(self):
        self.put("a.png", pictures.rich(1))
        with open("/dev/full", "wb") as full:
            result = subprocess.run([self.path(), "report", *YES, "a.png"], cwd=self.folder, stdout=full,
                                    stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=support.environment())
        self.assertEqual(result.returncode, ERROR)
        self.assertEqual(self.names(), {"a.png"})

    def test_quiet_says_nothing(self):
        self.put("a.png", pictures.rich(1))
        self.assertEqual(self.run_program("report", "--quiet", *YES, "a.png").stderr, b"")


class Codes(Companion):
    def code(self) -> str:
        self.put("a.png", pictures.rich(1))
        return json.loads(self.run_program("report", "--quiet", "--json", *YES, "a.png").stdout)["code"]

    def test_withdraw_and_status_need_nothing_but_the_code(self):
        code = self.code()
        for command, use, name, fmt in (("withdraw", "withdraw", "withdrawal.json", "imprint-withdrawal/1"),
                                        ("status", "status", "status.json", "imprint-status/1")):
            sloppy = code.replace("-", " ").lower().replace("1", "l").replace("0", "o") + "\r\n"
            self.run_program(command, input=sloppy.encode())
            case, key, _ = support.derive(support.read_code(code), use)
            file = json.loads((self.folder / name).read_bytes())
            self.assertEqual(file, {"format": fmt, "case": {"id": support.case_text(case)}, "key": key.hex()})
            self.assertEqual((self.folder / name).stat().st_mode & 0o777, 0o600)

    def test_a_wrong_code_makes_nothing(self):
        code = self.code()
        wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
        for text in (wrong, "", "\n", code + code, "x" * 5000, code[:-2]):
            self.run_program("withdraw", input=text.encode(), status=ERROR)
        self.assertEqual(self.names(), {"a.png", "report.json"})

    def test_a_code_is_no_argument(self):
        self.run_program("withdraw", "0000-0000-0000-0000-0000-0000-0000", status=ERROR)


class Texts(Companion):
    def locale(self, change=lambda text: text) -> dict:
        text = (support.ROOT / "tools/imprint/locale/en-GB.txt").read_text()
        self.put("cy-GB.txt", change(text).encode())
        return {"IMPRINT_LOCALE_DIR": str(self.folder), "LANG": "cy_GB.UTF-8"}

    def test_another_file_is_another_language(self):
        env = self.locale(lambda text: text.replace("en-GB/1", "cy-GB/7").replace("WE STOP HERE", "STOPIWN"))
        result = self.run_program("report", "--everyone-was-adult", "no", "a.png", env=env, status=REFERRED)
        self.assertIn(b"STOPIWN", result.stderr)
        self.put("a.png", pictures.rich(1))
        self.run_program("report", *YES, "a.png", env=env)
        report = json.loads((self.folder / "report.json").read_bytes())
        self.assertEqual(report["statements"]["text"], "cy-GB/7")

    def test_half_a_translation_is_an_error(self):
        for change in (lambda text: text.replace("[referral]", "[referal]"),
                       lambda text: text[:text.index("[help]")],
                       lambda text: text + "\n[help]\nagain\n"):
            self.run_program("report", "--everyone-was-adult", "no", "a.png", env=self.locale(change), status=ERROR)

    def test_an_unknown_language_falls_back_and_an_unknown_tag_does_not(self):
        self.run_program("report", "--everyone-was-adult", "no", "a.png", env={"LANG": "xx_XX"}, status=REFERRED)
        self.run_program("report", "--locale", "xx-XX", "a.png", status=ERROR)
        self.run_program("report", "--locale", "../../etc/passwd", "a.png", status=ERROR)

    def test_lines_fit_a_terminal(self):
        for number, line in enumerate((support.ROOT / "tools/imprint/locale/en-GB.txt").read_text().splitlines(), 1):
            if not line.startswith("#") and "https://" not in line:
                self.assertLess(len(line), 80, number)

    def test_the_words_keep_their_promises(self):
        text = (support.ROOT / "tools/imprint/locale/en-GB.txt").read_text().lower()
        for never in ("cannot be reversed", "revenge porn ", "your fault", "should have", "intention of causing"):
            self.assertNotIn(never, text.replace("revenge porn helpline", ""))
        for always in ("you are not to blame", "against the law", "don't pay", "take the report back"):
            self.assertIn(always, text)


class Usage(Companion):
    def test_help_and_version_are_fine(self):
        self.assertIn(b"Usage: imprint", self.run_program("--help").stdout)
        self.assertRegex(self.run_program("--version").stdout, rb"^imprint \d+\.\d+\.\d+\n$")
        for command in ("report", "hash", "withdraw", "status"):
            self.assertEqual(self.run_program("help", command).stdout, self.run_program(command, "--help").stdout)

    def test_what_is_not_understood_is_an_error_that_says_so(self):
        for arguments in ((), ("dance",), ("hash",), ("hash", "--loud", "a.png"), ("report", "--json=1", "a.png"),
                          ("report", "-o"), ("help", "dance"), ("--locale",)):
            result = self.run_program(*arguments, status=ERROR)
            self.assertNotEqual(result.stderr, b"", arguments)
            self.assertEqual(result.stdout, b"", arguments)

    def test_a_double_dash_ends_the_options(self):
        self.put("--json", pictures.rich(1))
        self.assertIn(b" --json\n", self.run_program("hash", "--", "--json").stdout)

    def test_standard_output_that_is_full_is_an_error(self):
        self.put("a.png", pictures.rich(1))
        with open("/dev/full", "wb") as full:
            result = subprocess.run([self.path(), "hash", "a.png"], cwd=self.folder, stdout=full,
                                    stderr=subprocess.PIPE, env=support.environment())
        self.assertEqual(result.returncode, ERROR)


class Terminal(Companion):
    """A person at a terminal, played through a pseudo-terminal: answers go out when their question has come."""

    def talk(self, arguments: list, answers: list) -> tuple:
        """(exit status or -signal, everything seen)"""
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(self.path(), [self.path(), *arguments], support.environment())
        seen, begin, deadline = b"", 0, time.monotonic() + 30
        while time.monotonic() < deadline:
            if answers and answers[0][0] in seen[begin:]:
                begin = len(seen)
                os.write(fd, answers.pop(0)[1])
            if not select.select([fd], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
        else:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(fd)
        self.assertEqual(answers, [], seen)
        return os.waitstatus_to_exitcode(status), seen

    def test_a_guided_report(self):
        self.put("a.png", pictures.rich(1))
        status, seen = self.talk(["report", "a.png"], [
            (b"not sure:", b"hm\n"), (b"not sure:", b" Yes. \n"), (b"yes or no:", b"y\n"), (b"yes or no:", b"YES\n"),
            (b"skip this):", b"????\n"), (b"skip this):", b"\n")])
        self.assertEqual(status, 0, seen)
        self.assertEqual(schema.problems(json.loads((self.folder / "report.json").read_bytes()), SCHEMA), [])
        order = [seen.index(words) for words in (b"BEFORE YOU BEGIN", b"18 or over", b"Don't panic", b"Picture 1 of 1",
                                                 b"WHAT WILL BE", b"show you", b"YOUR CODE", b"WHAT HAPPENS NEXT",
                                                 b"WHO CAN HELP")]
        self.assertEqual(order, sorted(order))

    def test_not_sure_is_an_answer(self):
        self.put("a.png", pictures.rich(1))
        status, seen = self.talk(["report", "a.png"], [(b"not sure:", b"not sure\n")])
        self.assertEqual(status, REFERRED, seen)
        self.assertEqual(self.names(), {"a.png"})

    def test_no_ends_kindly(self):
        self.put("a.png", pictures.rich(1))
        status, seen = self.talk(["report", "a.png"], [(b"not sure:", b"yes\n"), (b"yes or no:", b"no\n")])
        self.assertEqual(status, STOPPED, seen)
        self.assertIn(b"That is fine", seen)

    def test_ctrl_c_leaves_nothing(self):
        self.put("a.png", pictures.rich(1))
        for answers in ([(b"not sure:", b"\x03")], [(b"not sure:", b"yes\n"), (b"yes or no:", b"\x03")]):
            status, seen = self.talk(["report", "a.png"], answers)
            self.assertEqual(status, -signal.SIGINT, seen)
            self.assertEqual(self.names(), {"a.png"})

    def test_a_hidden_code_is_not_shown_and_may_be_mistyped(self):
        self.put("a.png", pictures.rich(1))
        code = json.loads(self.run_program("report", "--quiet", "--json", *YES, "a.png").stdout)["code"]
        status, seen = self.talk(["withdraw", "--hide-typing"], [(b"groups of four):", b"oops\n"),
                                                                (b"groups of four):", code.encode() + b"\n")])
        self.assertEqual(status, 0, seen)
        self.assertNotIn(code.encode(), seen)
        status, seen = self.talk(["withdraw", "--hide-typing", "-o", "w2.json"], [(b"groups of four):", b"\x03")])
        self.assertEqual(status, -signal.SIGINT, seen)
        self.assertNotIn("w2.json", self.names())


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = None
    support.main()
