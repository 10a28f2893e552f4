"""The page at `/`."""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from exporter.acknowledgements import Acknowledgement, Acknowledgements
from exporter.model import (
    ConfigKey,
    ConfigView,
    Deletion,
    DeniedUses,
    Evidence,
    Key,
    Scheduling,
    Snapshot,
    Source,
    Target,
    TargetState,
    Transition,
    TransitionKind,
    Unreadable,
)
from exporter.web.status.page import StatusPage
from exporter.web.status.query import PageQuery
from exporter.web.status.selection import PAGE_SIZE
from tests.support.declaring import rule
from tests.support.snapshots import DAY, HOSTILE, HOUR, IRELAND, LONDON, NOW, OTHER, key, pending
from tests.support.snapshots import state as of

VOID = {"meta", "link", "input", "img", "wbr", "br"}


class Page(HTMLParser):
    """The cells of each table row by the table's heading, every element with its attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._texts: list[str] = []
        self._open: list[str] = []
        self._heading = ""
        self.feed(html)
        assert not self._open, "every element is closed"

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._texts).split())

    @property
    def links(self) -> list[str]:
        return [attributes["href"] for tag, attributes in self.elements if tag == "a"]

    def attributes(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            attributes
            for found, attributes in self.elements
            if found == tag and wanted.items() <= {name.replace("-", "_"): v for name, v in attributes.items()}.items()
        ]

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self._open.append(tag)
        if tag == "h2":
            self._heading = ""
        elif tag == "tr":
            self.rows.setdefault(self._heading, []).append([])
        elif tag in {"td", "th"}:
            self.rows[self._heading][-1].append("")

    def handle_endtag(self, tag) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data) -> None:
        if self._open and self._open[-1] in {"style", "script"}:
            return
        self._texts.append(data)
        if "h2" in self._open:
            self._heading += data.strip()
        elif {"td", "th"} & set(self._open) and "tr" in self._open:
            cells = self.rows[self._heading][-1]
            cells[-1] = " ".join(f"{cells[-1]} {data}".split())


@cache
def status_page(runbook_url: str = "") -> StatusPage:
    return StatusPage(telemetry_path="/metrics", runbook_url=runbook_url)


def html(snapshot: Snapshot, query: str = "", rules=(), runbook_url: str = "") -> str:
    declared = Acknowledgements(rules)
    page = status_page(runbook_url).render(
        snapshot,
        PageQuery.parse(query),
        acknowledgements=declared,
        unmatched=declared.unmatched(snapshot),
        now=NOW,
    )
    return page.decode()


def page_of(snapshot: Snapshot, query: str = "", rules=(), runbook_url: str = "") -> Page:
    return Page(html(snapshot, query, rules, runbook_url))


def of_keys(*keys: Key, **known) -> Snapshot:
    return Snapshot(NOW, 1, (of(IRELAND, *keys, **known),))


def names(page: Page) -> list[str]:
    """Return what each row of pending keys begins its second cell with."""
    heading = next(heading for heading in page.rows if heading.startswith("Pending"))
    return [row[1].split()[0] for row in page.rows[heading][1:] if len(row) > 1]


class TestPendingKeys:
    def test_the_four_questions_are_answered_in_the_row(self) -> None:
        evidence = Evidence(
            scheduling=Scheduling(NOW - DAY, "Deploy/build-42"), denied_uses=DeniedUses(2, NOW - HOUR, "card-service")
        )
        known = pending("b", 6.5, aliases=("alias/b", "alias/c"), description="Cards")
        page = page_of(
            Snapshot(NOW, 1, (of(IRELAND, known, account_name="shop", evidence={"b": evidence}),)),
            rules=[rule("b", Acknowledgement("retired", ticket="CHG-1"))],
        )
        row, act = page.rows["Pending deletion"][1:]
        assert row[0] == "6 d 12 h soon 2026-09-28 02:13 UTC"
        assert row[1] == "alias/b b Cards also alias/c"
        assert row[2] == "shop 111122223333 eu-west-1"
        assert row[3].startswith("Deploy/ build-42 2026-09-20 14:13 UTC")
        assert "2 uses denied, last 1 h ago by card-service" in row[4]
        assert row[5] == "Acknowledged, yet used: do not rely on it retired ticket CHG-1 without an end"
        assert f"kms-exporter cancel-deletion {known.arn} --reason 'WHY'" in act[0]
        assert f"aws kms enable-key --region eu-west-1 --key-id {known.arn}" in act[0]

    def test_the_most_urgent_comes_first_and_what_has_no_date_last(self) -> None:
        waiting = Key("w", "arn:w", "PendingReplicaDeletion", aliases=("alias/w",), deletion=Deletion(window=7 * DAY))
        keys = [pending(name, days, aliases=(f"alias/{name}",)) for name, days in (("b", 6), ("late", -1), ("a", 20))]
        assert names(page_of(of_keys(waiting, *keys, key("e")))) == ["alias/late", "alias/b", "alias/a", "alias/w"]

    def test_countdowns_carry_the_moment_that_they_count_to_and_the_servers_time(self) -> None:
        page = page_of(of_keys(pending("a", 1)))
        assert page.attributes("strong", data_at=str(NOW + DAY))
        assert page.attributes("body", data_now=str(NOW))

    def test_links_lead_to_the_console_and_to_the_runbook_where_there_is_one(self) -> None:
        console = "https://eu-west-1.console.aws.amazon.com/kms/home?region=eu-west-1#/kms/keys/a"
        without, with_one = (
            page_of(of_keys(pending("a")), runbook_url=url) for url in ("", "https://wiki.example.org/kms")
        )
        assert console in without.links
        assert "Runbook" not in without.text
        assert "https://wiki.example.org/kms" in with_one.links
        assert all("In doubt, save it" in page.text for page in (without, with_one))

    def test_all_clear_is_said_only_of_what_was_checked(self) -> None:
        assert "Nothing is known yet." in page_of(Snapshot(NOW, 1, (TargetState(IRELAND),))).text
        assert "No key that could be checked is pending deletion." in page_of(of_keys()).text

    @pytest.mark.parametrize(
        ("other", "tone"),
        [(of(LONDON), "good"), (TargetState(LONDON), "calm"), (TargetState(LONDON, up=False), "calm")],
    )
    def test_no_pending_key_is_good_only_where_everything_was_checked(self, other: TargetState, tone: str) -> None:
        assert f'<b class="{tone}">0</b> pending deletion' in html(Snapshot(NOW, 1, (of(IRELAND), other)))

    def test_without_a_match_nothing_is_said_of_other_keys(self) -> None:
        page = page_of(of_keys(pending("a")), "q=zzz")
        assert "No pending key matches." in page.text
        assert "could be checked" not in page.text
        assert "0 of 1 match" in page.text

    def test_numbers_are_those_of_all_keys_whatever_is_filtered(self) -> None:
        snapshot = of_keys(pending("a"), pending("b"), key("c"), evidence={"a": Evidence(denied_uses=DeniedUses(1))})
        for query in ("", "q=zzz"):
            text = page_of(snapshot, query, rules=[rule("b")]).text
            assert "2 pending deletion 1 known to be needed 1 not acknowledged 0 not checked in full" in text
            assert "3 keys known in 1 accounts \u00d7 regions" in text

    def test_nothing_read_is_no_zero(self) -> None:
        text = page_of(Snapshot()).text
        assert "? pending deletion ? known to be needed ? not acknowledged ? not checked in full" in text

    def test_the_title_tells_how_many(self) -> None:
        assert "<title>1 pending deletion · KMS exporter</title>" in html(of_keys(pending("a")))


class TestWithoutJavaScript:
    def test_it_refreshes_itself_unless_told_not_to(self) -> None:
        assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in html(Snapshot())
        stopped = page_of(Snapshot(), "refresh=off&q=a")
        assert not stopped.attributes("meta", http_equiv="refresh")
        assert "/?q=a" in stopped.links

    def test_headings_sort_and_say_how(self) -> None:
        snapshot = of_keys(pending("a", 2, aliases=("alias/a",)), pending("b", 1, aliases=("alias/b",)))
        page = page_of(snapshot, "sort=alias&q=alias")
        assert names(page) == ["alias/a", "alias/b"]
        assert [found["aria-sort"] for found in page.attributes("th", scope="col") if "aria-sort" in found] == [
            "none",
            "ascending",
            "none",
            "none",
            "none",
        ]
        assert "/?q=alias&sort=alias&order=desc" in page.links
        assert names(page_of(snapshot, "sort=alias&q=alias&order=desc")) == ["alias/b", "alias/a"]

    def test_the_form_keeps_what_was_asked(self) -> None:
        snapshot = Snapshot(NOW, 1, (of(IRELAND, pending("a"), account_name="shop"), of(LONDON, pending("b"))))
        page = page_of(snapshot, "q=x&account=999999999999&region=eu-west-2&needed=yes&sort=alias&refresh=off")
        assert page.attributes("input", name="q")[0]["value"] == "x"
        chosen = [found["value"] for found in page.attributes("option") if "selected" in found]
        assert chosen == ["999999999999", "eu-west-2", "yes"]
        hidden = {found["name"]: found["value"] for found in page.attributes("input", type="hidden")}
        assert hidden == {"sort": "alias", "refresh": "off"}

    def test_long_lists_come_in_pages_that_links_lead_to(self) -> None:
        many = of_keys(*[pending(f"{number:03}", number) for number in range(1, PAGE_SIZE + 2)])
        first, last = page_of(many, "sort=deletion&order=asc"), page_of(many, "page=2")
        assert len(names(first)) == PAGE_SIZE
        assert len(names(last)) == 1
        assert "1 to 100 of 101 keys, page 1 of 2" in first.text
        assert "/?page=2" in first.links
        assert "101 to 101 of 101 keys, page 2 of 2" in last.text

    def test_where_too_many_accounts_are_there_to_choose_from_one_is_typed(self) -> None:
        states = tuple(of(Target(f"{number:012}", "r"), pending("a")) for number in range(101))
        page = page_of(Snapshot(NOW, 1, states), "account=000000000007")
        assert page.attributes("input", name="account")[0]["value"] == "000000000007"
        assert len(names(page)) == 1


class TestWhatIsWatched:
    def test_what_could_not_be_checked_comes_first_and_says_so(self) -> None:
        partly = of(IRELAND, unreadable={"k-1": Unreadable("AccessDeniedException", NOW - HOUR)}, last_success=NOW - 30)
        failing = TargetState(LONDON, up=False, last_success=NOW - 3 * HOUR, last_error="ListKeys: timeout")
        fresh = TargetState(Target("444455556666", "x"))
        halfway = of(Target("555566667777", "x"), last_success=NOW, sources={Source.GRANTS: "ListGrants: AccessDenied"})
        fine = of(Target("666677778888", "x"), key("a"), last_success=NOW - 90, last_full=NOW - 2 * HOUR)
        page = page_of(Snapshot(NOW, 1, (fine, halfway, partly, failing, fresh)))
        assert [row[2:] for row in page.rows["What is watched"][1:]] == [
            ["could not check", "3 h ago in full: never", "unknown", "last pass: ListKeys: timeout"],
            [
                "could not check every key",
                "30 s ago in full: never",
                "0",
                "1 unreadable key : AccessDeniedException k-1 AccessDeniedException, for 1 h",
            ],
            ["not checked yet", "never in full: never", "unknown", "nothing"],
            ["checked, some facts unknown", "0 s ago in full: never", "0", "grants: ListGrants: AccessDenied"],
            ["checked", "1 min ago in full: 2 h ago", "1", "nothing"],
        ]
        assert "3 not checked in full" in page.text

    def test_accounts_and_the_organization_are_named(self) -> None:
        snapshot = Snapshot(
            NOW, 1, (), {"444455556666": False}, {"444455556666": "AssumeRole: denied"}, organization=False
        )
        text = page_of(snapshot).text
        assert "Could not check account 444455556666 : AssumeRole: denied" in text
        assert "Could not list the accounts of the organization" in text
        assert "2 not checked in full" in text

    def test_keys_that_nobody_watches_are_named(self) -> None:
        elsewhere = Target("777788889999", "eu-north-1")
        keys = tuple(
            ConfigKey(elsewhere, f"id-{number}", f"arn-{number}", "PendingDeletion", NOW - 2 * HOUR)
            for number in (1, 2)
        )
        page = page_of(
            Snapshot(NOW, 1, (of(IRELAND, key("a")),), config=ConfigView(NOW, NOW, keys=keys, unwatched=keys))
        )
        assert "AWS Config reports 2 keys as pending deletion where nobody watches" in page.text
        assert "id-2 in 777788889999, eu-north-1, recorded 2 h ago" in page.text
        assert "1 not checked in full" in page.text
        assert not page.attributes("b", **{"class": "good"})

    def test_a_config_that_does_not_answer_is_told_and_not_taken_for_none(self) -> None:
        config = ConfigView(NOW, None, "SelectAggregateResourceConfig: AccessDenied")
        text = page_of(Snapshot(NOW, 1, (of(IRELAND, key("a")),), config=config)).text
        assert "Could not ask AWS Config, which knows of keys that are not watched here: " in text
        assert "1 not checked in full" in text

    def test_many_targets_come_in_pages_and_can_be_filtered(self) -> None:
        states = tuple(TargetState(Target("111122223333", f"region-{number:04}")) for number in range(PAGE_SIZE + 1))
        snapshot = Snapshot(NOW, 1, states)
        assert "101 to 101 of 101 accounts \u00d7 regions" in page_of(snapshot, "targets_page=2").text
        assert len(page_of(snapshot, "region=region-0007").rows["What is watched"]) == 2


class TestChanges:
    def test_they_are_told_in_words(self) -> None:
        lost = Transition(TransitionKind.DELETED, IRELAND, pending("k", aliases=("alias/k",)), "PendingDeletion", NOW)
        other = Transition(TransitionKind.STATE_CHANGED, OTHER, key("x", "Disabled"), "Enabled", NOW - HOUR)
        snapshot = Snapshot(NOW, 1, (of(IRELAND, account_name="shop"),), transitions=(lost, other))
        assert page_of(snapshot).rows["Latest changes"][1:] == [
            ["2026-09-21 14:13 UTC 0 s ago", "deleted for ever", "alias/k k", "shop 111122223333", "eu-west-1"],
            [
                "2026-09-21 13:13 UTC 1 h ago",
                "state changed Enabled to Disabled",
                "no alias x",
                "444455556666",
                "eu-west-1",
            ],
        ]
        assert len(page_of(snapshot, "account=444455556666").rows["Latest changes"]) == 2

    def test_the_latest_of_many(self) -> None:
        many = tuple(Transition(TransitionKind.CREATED, IRELAND, key(f"{n}"), "", NOW) for n in range(30))
        page = page_of(Snapshot(NOW, 1, transitions=many))
        assert len(page.rows["Latest changes"]) == 26
        assert "25 of the latest 30 are shown" in page.text

    def test_none(self) -> None:
        assert "None was seen since this process started." in page_of(Snapshot()).text

    def test_none_in_an_account_says_nothing_of_changes_that_are_no_longer_kept(self) -> None:
        change = Transition(TransitionKind.CREATED, IRELAND, key("k"), "", NOW)
        text = page_of(Snapshot(NOW, 1, transitions=(change,)), "account=444455556666").text
        assert "None of the latest 1 was in these accounts and regions." in text
        assert "since this process started" not in text


class TestAcknowledgements:
    def test_those_that_are_about_no_key_are_named(self) -> None:
        text = page_of(of_keys(pending("a")), rules=[rule("alias/typo-*", region="eu-west-1")]).text
        assert "Acknowledgements: 1 about no key that is known." in text
        assert "alias/typo-* (eu-west-1)" in text

    def test_those_that_have_expired_are_named(self) -> None:
        expired = rule("a", Acknowledgement("until spring", until=NOW - DAY))
        text = page_of(of_keys(pending("a", aliases=("alias/a",))), rules=[expired]).text
        assert "1 expired" in text
        assert "alias/a in 111122223333, eu-west-1: until spring" in text

    def test_all_that_have_expired_are_counted_and_some_are_named(self) -> None:
        keys = [pending(f"{number:02}") for number in range(25)]
        page = page_of(of_keys(*keys), rules=[rule("*", Acknowledgement("spring", until=NOW - DAY))])
        assert "25 expired" in page.text
        assert page.text.count("eu-west-1: spring") == 20
        assert "and 5 more" in page.text

    def test_there_is_no_such_section_where_all_is_well(self) -> None:
        assert "Acknowledgements to look at" not in page_of(of_keys(pending("a")), rules=[rule("a")]).text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_text(hostile: str) -> None:
    known = pending("p", 1, aliases=(hostile,), description=hostile)
    other = Key(hostile, "arn:aws:kms:eu-west-1:1:key/x", "PendingDeletion")
    evidence = Evidence(scheduling=Scheduling(NOW, hostile), denied_uses=DeniedUses(1, NOW, hostile, hostile))
    state = of(
        Target(hostile, hostile),
        known,
        other,
        evidence={"p": evidence},
        account_name=hostile,
        up=False,
        last_error=hostile,
        unreadable={hostile: Unreadable(hostile, NOW)},
        sources=dict.fromkeys(Source, hostile),
    )
    change = Transition(TransitionKind.STATE_CHANGED, state.target, known, hostile, NOW)
    snapshot = Snapshot(NOW, 1, (state,), {hostile: False}, {hostile: hostile}, (change,))
    declared = Acknowledgement(hostile, hostile, hostile, NOW - 1, hostile)
    harmless = html(of_keys())
    text = html(snapshot, rules=[rule("p", declared), rule(hostile, account_id="9")])
    page = Page(text)
    assert text.count("<script") == harmless.count("<script") == 1
    assert text.count("<style") == harmless.count("<style") == 1
    assert not page.attributes("img")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "autofocus" not in {name for _, attributes in page.elements for name in attributes}
    assert all(link.startswith(("/", "#", "https://")) for link in page.links)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text)


def test_a_hostile_search_stays_text() -> None:
    page = page_of(of_keys(pending("a")), "q=%22%3E%3Cimg+src%3Dx%3E%E2%80%AE")
    assert not page.attributes("img")
    assert page.attributes("input", name="q")[0]["value"] == '"><img src=x>\\u202e'


def test_the_page_may_use_its_own_style_and_script_and_nothing_else() -> None:
    text = html(of_keys(pending("a")))
    policy = dict(part.split(" ", 1) for part in status_page().headers["Content-Security-Policy"].split("; "))
    for element in ("style", "script"):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        assert policy.pop(f"{element}-src") == f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
    assert policy == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    assert not re.search(r"\b(?:style|on[a-z]+)=", text)
    assert not re.search(r"<(?:link|img|iframe|object|script)[^>]* (?:src|href)=\"(?!data:,)", text)


def test_it_links_to_the_rest() -> None:
    assert {"/metrics", "/api/v1/keys", "/api/v1/openapi.json", "/healthz", "/readyz"} <= set(page_of(Snapshot()).links)


def test_ids_are_unique_and_labels_lead_to_fields() -> None:
    snapshot = Snapshot(NOW, 1, (of(IRELAND, pending("a")), of(LONDON, pending("a"))))
    page = page_of(snapshot)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {found["for"] for found in page.attributes("label")} <= set(ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(ids)
