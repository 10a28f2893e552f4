"""The page at `/`."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from exporter.model import Deletion, Key, Keys, Snapshot, Target, TargetState, Unreadable
from exporter.web.status import MAX_ROWS, StatusPage

NOW = 1_790_000_000.0  # 2026-09-21T14:13:20Z
DAY = 86_400.0
IRELAND, LONDON = Target("111122223333", "eu-west-1"), Target("111122223333", "eu-west-2")


class Rows(HTMLParser):
    """The cells of each table row, and every element's name and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._in_cell = False

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self._in_cell = True
            self.rows[-1].append("")
        elif tag == "small" and self._in_cell:
            self.rows[-1][-1] += " "

    def handle_endtag(self, tag) -> None:
        if tag == "td":
            self._in_cell = False

    def handle_data(self, data) -> None:
        self.text.append(data)
        if self._in_cell:
            self.rows[-1][-1] += data


def pending(key_id: str, days: float, **known) -> Key:
    return Key(key_id, f"arn:{key_id}", "PendingDeletion", deletion=Deletion(at=NOW + days * DAY), **known)


def of(target: Target, *keys: Key, **known) -> TargetState:
    return TargetState(target, keys=Keys({key.key_id: key for key in keys}), **known)


def parsed(snapshot: Snapshot) -> Rows:
    rows = Rows()
    rows.feed(StatusPage(telemetry_path="/metrics").render(snapshot, now=NOW).decode())
    return rows


def rows(snapshot: Snapshot) -> list[list[str]]:
    return [row for row in parsed(snapshot).rows if row]


def text(snapshot: Snapshot) -> str:
    return " ".join(" ".join(parsed(snapshot).text).split())


def test_pending_keys_come_by_deletion_date_with_what_is_needed_to_act() -> None:
    waiting = Key("w", "arn:w", "PendingReplicaDeletion", deletion=Deletion(window=7 * DAY))
    late = pending("late", -0.2)
    state = of(
        IRELAND, waiting, pending("b", 6.5, aliases=("alias/b", "alias/c")), late, pending("a", 20), account_name="shop"
    )
    healthy = Key("e", "arn:e", "Enabled")
    snapshot = Snapshot(NOW, 1, (state, of(LONDON, healthy)))
    assert rows(snapshot)[:4] == [
        ["due now", "no alias late", "shop 111122223333", "eu-west-1", "PendingDeletion", "2026-09-21T09:25:20Z"],
        ["6.5 days", "alias/b b", "shop 111122223333", "eu-west-1", "PendingDeletion", "2026-09-28T02:13:20Z"],
        ["20.0 days", "no alias a", "shop 111122223333", "eu-west-1", "PendingDeletion", "2026-10-11T14:13:20Z"],
        [
            "not started",
            "no alias w",
            "shop 111122223333",
            "eu-west-1",
            "PendingReplicaDeletion",
            "7 days after its last replica",
        ],
    ]


@pytest.mark.parametrize(("days", "urgency"), [(-1, "soon"), (1.9, "soon"), (2, "near"), (6.9, "near"), (7, "calm")])
def test_urgency_is_shown(days: float, urgency: str) -> None:
    elements = parsed(Snapshot(NOW, 1, (of(IRELAND, pending("a", days)),))).elements
    assert ("td", {"class": f"number {urgency}"}) in elements


def test_what_could_not_be_checked_is_in_plain_sight() -> None:
    failing = TargetState(LONDON, up=False, last_success=NOW - 3 * 3600, last_error="ListKeys: timeout")
    partly = of(
        IRELAND,
        up=True,
        last_success=NOW - 30,
        unreadable={"k": Unreadable("AccessDeniedException", NOW)},
        last_full=NOW,
    )
    fresh = TargetState(Target("444455556666", "x"))
    fine = of(Target("555566667777", "x"), Key("a", "arn:a", "Enabled"), up=True, last_success=NOW - 90)
    assert rows(Snapshot(NOW, 1, (partly, failing, fresh, fine))) == [
        ["111122223333", "eu-west-2", "could not check", "3 h ago", "unknown", "0", "ListKeys: timeout"],
        [
            "111122223333",
            "eu-west-1",
            "could not check every key",
            "30 s ago",
            "0",
            "1 AccessDeniedException",
            "none",
        ],
        ["444455556666", "x", "not checked yet", "never", "unknown", "0", "none"],
        ["555566667777", "x", "checked", "1 min ago", "1", "0", "none"],
    ]


def test_accounts_and_organization_that_could_not_be_checked_are_named() -> None:
    snapshot = Snapshot(
        NOW, 1, (), {"444455556666": False}, account_errors={"444455556666": "AssumeRole: denied"}, organization=False
    )
    assert "Could not check account 444455556666 : AssumeRole: denied" in text(snapshot)
    assert "Could not list the accounts of the organization" in text(snapshot)


def test_all_clear_is_said_only_of_what_was_checked() -> None:
    assert "Nothing is known yet." in text(Snapshot(NOW, 1, (TargetState(IRELAND),)))
    assert "No key that could be checked is pending deletion." in text(Snapshot(NOW, 1, (of(IRELAND),)))


def test_long_tables_are_cut_and_say_so() -> None:
    many = of(IRELAND, *[pending(f"{number}", number) for number in range(MAX_ROWS + 1)])
    states = [TargetState(Target("444455556666", f"region-{number:04}")) for number in range(MAX_ROWS)]
    snapshot = Snapshot(NOW, 1, (many, *states))
    assert len(rows(snapshot)) == 2 * MAX_ROWS
    assert f"The first {MAX_ROWS} of {MAX_ROWS + 1}; all are in the JSON" in text(snapshot)
    assert f"The first {MAX_ROWS} of {MAX_ROWS + 1}, those in trouble first." in text(snapshot)


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "\ud800"]
)
def test_hostile_text_stays_text(hostile: str) -> None:
    key = Key(hostile, "arn:x", hostile, aliases=(hostile,), deletion=None)
    pending_key = pending("p", 1, aliases=(hostile,))
    state = of(
        Target(hostile, hostile),
        key,
        pending_key,
        account_name=hostile,
        up=False,
        last_error=hostile,
        unreadable={"k": Unreadable(hostile, NOW)},
    )
    snapshot = Snapshot(NOW, 1, (state,), {hostile: False}, account_errors={hostile: hostile})
    page = parsed(snapshot)
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "img"})
    assert hostile.replace("\ud800", "?") in "".join(page.text)


def test_the_page_may_show_its_own_style_and_nothing_else() -> None:
    status = StatusPage(telemetry_path="/metrics")
    html = status.render(Snapshot(), now=NOW).decode()
    (style,) = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in status.headers["Content-Security-Policy"]
    assert "<script" not in html
    assert not re.search(r"\b(?:src|href)=\"(?!/)", html)
    assert not re.search(r"\bstyle=", html)


def test_it_reloads_itself_and_links_to_the_rest() -> None:
    elements = parsed(Snapshot()).elements
    assert ("meta", {"http-equiv": "refresh", "content": "30"}) in elements
    assert {"/metrics", "/api/v1/keys", "/healthz", "/readyz"} <= {
        attributes["href"] for tag, attributes in elements if tag == "a"
    }
