#!/usr/bin/env python3
"""imprintctl fetch against a local server that plays the feeds: pages arrive and withdrawals are honoured, the place is
kept, trouble (cut JSON, 429, 500, broken connections, stale tokens) costs no record, and no page is skipped.

usage: fetch.py BUILD_DIR
"""
import base64
import json
import sys
import tempfile
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from exchange import A, B, C, D, Place

KEYS = {"function_key": "secret-function", "subscription_key": "secret-subscription", "user": "secret-user",
        "password": "secret-password"}
BASIC = "Basic " + base64.b64encode(b"secret-user:secret-password").decode()


class Feed(ThreadingHTTPServer):
    """Answers each request with the next of its answers: (status, headers, body), or a body alone."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.requests = [], []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/base"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def queries(self) -> list:
        return [{key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
                for path, _ in self.requests]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        feed = self.server
        feed.requests.append((self.path, dict(self.headers)))
        if not feed.answers:
            self.send_error(418)
            return
        answer = feed.answers.pop(0)
        status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body.encode())), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())
        self.close_connection = True

    def log_message(self, *arguments):
        pass


def page(*records, more="", checkpoint=0) -> str:
    return json.dumps({"count": len(records), "hasMoreRecords": bool(more), "nextPageToken": more or None,
                       "nextSetTimestamp": checkpoint,
                       "hashRecords": [{"lastModtimestamp": 1, "signalType": "ImagePDQ", "hashValue": value,
                                        "hashStatus": status, "caseNumbers": {"c": status}}
                                       for value, status in records]})


def entries(*items, more="") -> str:
    return ('<?xml version="1.0"?><queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2"><images>' + "".join(
        f'<{tag}><member id="42">M</member><id>{name}</id><timestamp>2020-01-01T00:00:{second:02}Z</timestamp>'
        f'<fingerprints>{f"<pdq>{value}</pdq>" if value else ""}</fingerprints></{tag}>'
        for tag, name, second, value in items) + '</images><paging>' +
        (f'<next>{more}</next>' if more else '') + '</paging></queryResult>')


class Following:
    """One list that follows one feed, with a state file of its own."""
    count = 0

    def __init__(self, place, name):
        Following.count += 1
        self.place, self.name, self.list, self.feed = place, name, f"follow-{Following.count}", Feed()
        self.state = place.folder / f"{self.list}.state"
        self.keys = place.write(f"{self.list}.keys", json.dumps(KEYS))
        self.keys.chmod(0o600)
        place.list_(self.list)

    def fetch(self, *answers, status=0, options=(), url=None):
        """The summary (None without one) and what was said on standard error."""
        self.feed.answers, self.feed.requests = list(answers), []
        result = self.place.run("fetch", self.name, "--list", self.list, "--state", self.state, "--credentials",
                                self.keys, "--url", url or self.feed.url, "--retry-delay", 0, "--json", *options)
        assert result.returncode == status, f"{result.returncode}\n{result.stdout}{result.stderr}"
        assert not self.feed.answers, f"not asked for: {self.feed.answers}"
        everything = result.stdout + result.stderr + (self.state.read_text() if self.state.exists() else "")
        assert "secret" not in everything, everything
        return json.loads(result.stdout) if result.stdout else None, result.stderr

    def hashes(self):
        return self.place.hashes(self.list)

    def at(self) -> dict:
        return json.loads(self.state.read_text())


def pages_arrive_and_the_place_is_kept(place):
    follow = Following(place, "stopncii")
    summary, _ = follow.fetch(page((A, "Active"), (B, "Received"), more="t 1/+"), page((C, "Active"), checkpoint=1000))
    assert summary["complete"] and summary["added"] == 3, summary
    first, second = follow.feed.queries()
    assert first == {"startTimestamp": "10", "pageSize": "800"}, first
    assert second == {**first, "nextPageToken": "t 1/+"}, second
    headers = {name.lower(): value for name, value in follow.feed.requests[0][1].items()}
    assert headers["x-functions-key"] == "secret-function", headers
    assert headers["ocp-apim-subscription-key"] == "secret-subscription", headers
    assert follow.state.stat().st_mode & 0o777 == 0o600
    summary, _ = follow.fetch(page((A, "Withdrawn"), (B, "Deleted"), (D, "Paused"), checkpoint=2000))
    assert summary["removed"] == 2 and summary["issues"][0]["detail"] == "Paused", summary
    assert follow.feed.queries()[0]["startTimestamp"] == "1000"
    assert follow.hashes() == sorted([C, D]) and follow.at()["from"] == 2000


def trouble_costs_no_record(place):
    follow = Following(place, "stopncii")
    good = page((A, "Active"), more="two")
    summary, said = follow.fetch(good[:-30], (429, {"Retry-After": "1"}, "slow"), (500, {}, ""),
                                 (200, {"Content-Length": "100000"}, good), good, page((B, "Active"), checkpoint=50))
    assert summary["complete"] and summary["added"] == 2, (summary, said)
    for words in ("cannot be read", "HTTP status 429", "HTTP status 500"):
        assert words in said, said


def a_page_that_stays_broken_is_never_skipped(place):
    follow = Following(place, "stopncii")
    broken = page((B, "Active"), more="three")[:-30]
    summary, said = follow.fetch(page((A, "Active"), more="two"), *[broken] * 5, status=4)
    assert not summary["complete"] and summary["added"] == 1 and "nothing was skipped" in said, (summary, said)
    assert follow.hashes() == [A] and follow.at()["next"] == "two"
    follow.fetch(page((B, "Active"), checkpoint=70))
    assert follow.feed.queries()[0]["nextPageToken"] == "two"
    assert follow.hashes() == sorted([A, B]) and follow.at()["from"] == 70


def an_end_between_pages_is_gone_on_from(place):
    follow = Following(place, "stopncii")
    summary, _ = follow.fetch(page((A, "Active"), more="two"), options=("--max-pages", 1))
    assert not summary["complete"] and follow.at()["next"] == "two" and follow.at()["from"] == 10
    before = follow.state.read_text()
    follow.fetch(page((B, "Active"), more="three"), page((A, "Withdrawn"), checkpoint=90))
    # As after a crash between a page and its state: the same pages again change nothing.
    follow.state.write_text(before)
    summary, _ = follow.fetch(page((B, "Active"), more="three"), page((A, "Withdrawn"), checkpoint=90))
    assert (summary["added"], summary["removed"], summary["duplicate"]) == (0, 0, 2), summary
    assert follow.hashes() == [B]


def a_token_that_is_too_old_costs_a_new_beginning(place):
    follow = Following(place, "stopncii")
    follow.fetch(page((A, "Active"), more="two"), options=("--max-pages", 1))
    follow.fetch((410, {}, ""), page((A, "Active"), more="new"), page((B, "Active"), checkpoint=9000000000))
    assert [query.get("nextPageToken") for query in follow.feed.queries()] == ["two", None, "new"]
    follow.state.write_text(json.dumps({**follow.at(), "next": "old", "saved": int(time.time()) - 7200}))
    follow.fetch(page(checkpoint=9000000001))
    assert "nextPageToken" not in follow.feed.queries()[0]
    follow.state.write_text(json.dumps({**follow.at(), "saved": int(time.time()) - 31 * 86400}))
    follow.fetch(page(checkpoint=9000000002))
    assert follow.feed.queries()[0]["startTimestamp"] == "10"
    follow.state.write_text(json.dumps({**follow.at(), "epoch": "0" * 32}))
    _, said = follow.fetch(page(checkpoint=9000000003))
    assert follow.feed.queries()[0]["startTimestamp"] == "10" and "was restored" in said


def what_leads_nowhere_is_refused(place):
    for answers, words in (([page((A, "Active"), more="x"), page((B, "Active"), more="x")], "leads to itself"),
                           ([json.dumps({"hasMoreRecords": True, "hashRecords": []})], "but not where"),
                           ([(401, {}, "")], "HTTP status 401"),
                           ([(302, {"Location": "http://127.0.0.1:1/"}, "")], "HTTP status 302")):
        follow = Following(place, "stopncii")
        _, said = follow.fetch(*answers, status=2)
        assert words in said, said
    for url in ("http://example.invalid/v1", "http://127.0.0.1.example.invalid/", "file:///etc/passwd", "nonsense://x"):
        _, said = follow.fetch(status=2, url=url)
        assert said and not follow.feed.requests, said
    follow.keys.chmod(0o644)
    assert "chmod 600" in follow.fetch(status=2)[1]
    assert "another feed" in Following(place, "ncmec").place.run(
        "fetch", "ncmec", "--list", follow.list, "--state", place.write("other.state", "{}"), "--credentials",
        Following(place, "ncmec").keys).stderr


def entries_in_no_order_end_up_right(place):
    follow = Following(place, "ncmec")
    place.environment["TZ"] = "Asia/Tokyo"
    follow.fetch(entries(("image", "kept", 1, A), ("image", "gone", 1, B)))
    del place.environment["TZ"]
    query, headers = follow.feed.queries()[0], follow.feed.requests[0][1]
    until = datetime.strptime(query["to"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
    assert query["from"] == "1970-01-01T00:00:00Z" and abs(until - time.time()) < 120, query
    assert headers["Authorization"] == BASIC
    assert follow.hashes() == sorted([A, B])
    # The deletion comes pages before the older image of the same id, and over two runs.
    second = "/v2/entries?from=x&amp;start=2"
    follow.fetch(entries(("deletedImage", "late", 9, ""), ("deletedImage", "gone", 9, ""), more=second),
                 options=("--max-pages", 1))
    assert follow.feed.queries()[0]["from"] != query["from"]
    state = follow.at()
    assert state["next"] == second.replace("&amp;", "&") and len(state["removed"]) == 2, state
    assert follow.hashes() == sorted([A, B])
    summary, _ = follow.fetch(entries(("image", "late", 5, C), ("image", "again", 9, D), ("deletedImage", "again", 3, "")))
    assert follow.feed.requests[0][0] == "/base" + state["next"], follow.feed.requests
    assert follow.hashes() == sorted([A, D]), summary
    assert follow.at()["from"] == state["to"] - 600 and follow.at()["removed"] == [], follow.at()
    _, said = follow.fetch(entries(more="https://example.invalid/v2/entries?x"), status=2)
    assert "another address" in said, said
    _, said = follow.fetch(*[entries(("image", "x", 1, B))[:-40]] * 5, status=4)
    assert "ends within" in said or "not XML" in said, said
    assert follow.hashes() == sorted([A, D])


def main() -> int:
    tests = [pages_arrive_and_the_place_is_kept, trouble_costs_no_record, a_page_that_stays_broken_is_never_skipped,
             an_end_between_pages_is_gone_on_from, a_token_that_is_too_old_costs_a_new_beginning,
             what_leads_nowhere_is_refused, entries_in_no_order_end_up_right]
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
