"""The status page in a real Chromium: what people see, and what they can do with it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from exporter.acknowledgements import Acknowledgement, Acknowledgements
from exporter.model import (
    DeniedUses,
    Evidence,
    Grants,
    Key,
    Scheduling,
    Snapshot,
    Source,
    Target,
    Transition,
    TransitionKind,
    Unreadable,
    Usage,
    UsageCase,
)
from exporter.web.app import create_app
from tests.support.browser import PLAIN_HOST, Visitor, chromium
from tests.support.contract import holds_to
from tests.support.declaring import rule
from tests.support.processes import ExporterProcess, exporter_process
from tests.support.serving import FakeExporter, served
from tests.support.snapshots import DAY, HOSTILE, HOUR, IRELAND, LONDON, NOW, OTHER, pending, state
from tests.support.waiting import until

RUNBOOK = "https://runbooks.example.org/kms"
CONTRAST = Path(__file__).with_name("contrast.js").read_text()
LEAST_CONTRAST = 4.5
"""https://www.w3.org/TR/WCAG22/#contrast-minimum"""
SIZES = {"wide": (1280, 900), "tablet": (768, 1024), "phone": (360, 780)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """A browser that is expected to have nothing to complain about."""
    visiting = Visitor(browser)
    yield visiting
    visiting.leave()
    assert visiting.complaints == []


def snapshot() -> Snapshot:
    """Return a bit of everything."""
    cards = pending("cards", 90 / DAY, aliases=("alias/cards",), description="Card numbers")
    ledger = pending("ledger", 5, aliases=("alias/ledger",))
    old = pending("old", 20, aliases=("alias/archive",))
    evidence = {
        "cards": Evidence(
            Scheduling(NOW - DAY, "Deploy/build-42", window=7 * DAY),
            usage=Usage(UsageCase.USED, NOW - 99 * DAY, NOW - DAY - HOUR, "Decrypt"),
            denied_uses=DeniedUses(7, NOW - HOUR, "card-service/i-1", "Decrypt"),
            grants=Grants(2, ("rds.eu-west-1.amazonaws.com",)),
        ),
        "old": Evidence(usage=Usage(UsageCase.NEVER), denied_uses=DeniedUses(0), grants=Grants(0)),
    }
    return Snapshot(
        NOW,
        1,
        (
            state(IRELAND, cards, old, evidence=evidence, account_name="payments", last_success=NOW),
            state(
                LONDON,
                ledger,
                account_name="payments",
                sources={Source.SCHEDULED_BY: f"LookupEvents in {LONDON}: AccessDeniedException: User: arn:aws:iam::x"},
            ),
            state(OTHER, unreadable={"k": Unreadable("AccessDeniedException", NOW - HOUR)}, last_success=NOW - 60),
        ),
        {"999999999999": False},
        {"999999999999": "AssumeRole: AccessDenied"},
        (Transition(TransitionKind.SCHEDULED, LONDON, ledger, "Enabled", NOW - 30),),
    )


@pytest.fixture
def exporter() -> FakeExporter:
    fake = FakeExporter()
    fake.snapshot = snapshot()
    fake.acknowledgements = Acknowledgements(
        [
            rule("alias/archive", Acknowledgement("retired", "carol", "CHG-1")),
            rule("alias/ledger", Acknowledgement("until spring", until=NOW - DAY)),
            rule("alias/typo-*"),
        ]
    )
    return fake


@pytest.fixture
def url(exporter: FakeExporter) -> Iterator[str]:
    with served(create_app(exporter, runbook_url=RUNBOOK)) as address:
        yield address


def names(page: Page) -> Locator:
    """Return the keys on the page, from top to bottom; `expect` waits for those of a page that a click leads to."""
    return page.locator("table.keys tbody th strong")


def row(page: Page, name: str) -> Locator:
    return page.locator("tbody.key").filter(has=page.get_by_role("rowheader").filter(has_text=name))


@pytest.fixture(scope="module")
def demo() -> Iterator[ExporterProcess]:
    with exporter_process("demo", env={}) as process:
        process.ready()
        until(lambda: all(known(key) for key in pending_keys(process)), within=90)
        yield process


class TestDemo:
    def test_the_four_questions_are_answered_for_each_key_that_aws_tells_of(self, demo, visitor) -> None:
        page = visitor.visit(f"{demo.url}/?refresh=off")
        cards = row(page, "alias/card-vault-2023")
        expect(cards).to_contain_text("ci-pipeline/terraform-apply-1847")
        expect(cards).to_contain_text("Yes: uses of it fail")
        expect(cards).to_contain_text("before it was scheduled")
        expect(cards).to_contain_text("rds.eu-west-1.amazonaws.com")
        expect(cards).to_contain_text("Acknowledged, yet used: do not rely on it")
        expect(row(page, "alias/chargebacks")).to_contain_text("Not acknowledged")
        expect(row(page, "alias/crm")).to_contain_text("Acknowledged CHG-4711", use_inner_text=False)
        denied = row(page, "alias/billing-2019")
        expect(denied).to_contain_text("could not ask CloudTrail: LookupEvents: AccessDeniedException")
        wanted = {(key["aliases"] or ["no alias"])[0] for key in pending_keys(demo)}
        assert set(names(page).all_text_contents()) == wanted

    def test_its_json_is_as_described(self, demo) -> None:
        document = demo.get("/api/v1/openapi.json").json()
        holds_to(document, demo.get("/api/v1/keys").json())
        holds_to(document, demo.get("/api/v1/keys", params={"limit": 5}).json())

    def test_its_hostile_keys_stay_text(self, demo, visitor) -> None:
        emulator = until(lambda: re.search(r"AWS +(http:\S+)", "\n".join(demo.output)))[1]
        for name in ("alias/hostile-html", "alias/hostile-unicode", "alias/<i>html</i>", "alias/new\nline"):
            order = {
                "account_id": "333344445555",
                "region": "eu-west-1",
                "key_id": name,
                "action": "schedule",
                "days": 7,
            }
            httpx.post(f"{emulator}/_emulator/keys", json=order, trust_env=False)
        until(lambda: sum("hostile" in key["aliases"][0] for key in pending_keys(demo) if key["aliases"]) == 2)
        page = visitor.visit(f"{demo.url}/?account=333344445555&region=eu-west-1")
        expect(page.get_by_text("<script>alert('kms')</script><img src=x onerror=alert(1)>")).to_be_visible()
        expect(page.get_by_text("\\u202eright to left\\u202c")).to_be_visible()
        assert page.locator("main script, main img, main i, main b:not(.facts b)").count() == 0


def pending_keys(process: ExporterProcess) -> list[dict]:
    return process.get("/api/v1/keys", params={"pending": "true"}).json()["keys"]


def known(key: dict) -> bool:
    """Whether everything that the demo's AWS tells of a key has arrived."""
    untold = key["region"] == "ap-southeast-2"
    return None not in (key["usage"], key["grants"]) and (untold or key["denied_uses"] is not None)


class TestCountdown:
    def test_it_ticks_by_the_servers_clock_whatever_the_readers_says(self, url, visitor) -> None:
        page = visitor.page()
        page.clock.install(time=0)
        page.clock.pause_at(1)
        page.goto(f"{url}/?refresh=off")
        count = row(page, "alias/cards").locator(".count")
        expect(count).to_have_text("1 min 30 s")
        page.clock.run_for(31_000)
        expect(count).to_have_text("59 s")
        page.clock.run_for(60_000)
        expect(count).to_have_text("due now")

    def test_it_says_what_the_server_says(self, url, exporter, visitor) -> None:
        spans = (0, 1, 59, 60, 3599, 3600, 86399, 86400, 12 * DAY + 7 * HOUR + 59 * 60)
        keys = [pending(f"{span}", span / DAY) for span in spans]
        exporter.snapshot = Snapshot(NOW, 1, (state(IRELAND, *keys),))
        silent = visitor.visit(f"{url}/?refresh=off", java_script_enabled=False)
        page = visitor.page()
        page.clock.install(time=NOW)
        page.clock.pause_at(NOW + 1)
        page.goto(f"{url}/?refresh=off")
        assert page.locator(".count").all_text_contents() == silent.locator(".count").all_text_contents()


class TestRefresh:
    @pytest.fixture
    def page(self, url, visitor) -> Page:
        page = visitor.page()
        page.clock.install(time=NOW)
        page.clock.pause_at(NOW + 1)
        page.goto(url)
        return page

    @staticmethod
    def change(exporter: FakeExporter) -> None:
        exporter.time += 30
        added = state(Target("555566667777", "eu-west-1"), pending("fresh", 3, aliases=("alias/fresh",)))
        exporter.snapshot = replace(exporter.snapshot, targets=(*exporter.snapshot.targets, added), keys_version=2)

    def test_what_is_new_appears_and_what_the_reader_is_at_stays(self, page, exporter) -> None:
        page.get_by_label("Search").fill("half a wo")
        summary = row(page, "alias/ledger").locator("summary")
        summary.click()
        page.evaluate("scrollTo(0, 300)")
        page.clock.run_for(5_000)
        self.change(exporter)
        page.clock.run_for(30_000)
        expect(row(page, "alias/fresh")).to_be_visible()
        expect(row(page, "alias/ledger").locator("details")).to_have_attribute("open", "")
        expect(row(page, "alias/ledger").get_by_role("button", name="Copy command 1")).to_be_visible()
        expect(summary).to_be_focused()
        expect(page.get_by_label("Search")).to_have_value("half a wo")
        expect(page).to_have_title("4 pending deletion · KMS exporter")
        expect(row(page, "alias/cards").locator(".count")).to_have_text("1 min 0 s")
        assert page.evaluate("scrollY") == 300

    def test_it_waits_while_text_is_selected(self, page, exporter) -> None:
        page.evaluate("getSelection().selectAllChildren(document.querySelector('tbody th'))")
        self.change(exporter)
        page.clock.run_for(40_000)
        expect(page.locator("#freshness")).to_have_text("Refreshes again once you are done.")
        expect(row(page, "alias/fresh")).to_have_count(0)
        page.evaluate("getSelection().removeAllRanges()")
        page.clock.run_for(5_000)
        expect(row(page, "alias/fresh")).to_be_visible()

    def test_it_waits_while_somebody_types(self, page, exporter) -> None:
        self.change(exporter)
        page.clock.run_for(29_000)
        page.get_by_label("Search").press_sequentially("ab")
        page.clock.run_for(2_500)
        expect(row(page, "alias/fresh")).to_have_count(0)
        page.clock.run_for(10_000)
        expect(row(page, "alias/fresh")).to_be_visible()

    def test_a_key_that_is_gone_leaves_the_focus_at_the_list(self, page, exporter) -> None:
        row(page, "alias/ledger").locator("summary").focus()
        exporter.snapshot = replace(exporter.snapshot, targets=exporter.snapshot.targets[:1])
        page.clock.run_for(30_000)
        expect(page.get_by_role("heading", name="Pending deletion", level=2)).to_be_focused()

    def test_it_can_be_stopped(self, page, exporter) -> None:
        page.get_by_role("link", name="Stop refreshing").click()
        self.change(exporter)
        page.clock.run_for(120_000)
        expect(row(page, "alias/fresh")).to_have_count(0)
        expect(page.get_by_text("Does not refresh itself.")).to_be_visible()

    def test_old_values_are_said_to_be_old(self, url, browser) -> None:
        visitor = Visitor(browser)
        page = visitor.page()
        page.clock.install(time=NOW)
        page.goto(url)
        page.route("**/*", lambda route: route.abort())
        page.clock.run_for(30_000)
        expect(page.get_by_text("Could not refresh: what you see may be old.")).to_be_visible()
        page.unroute_all()
        page.clock.run_for(30_000)
        expect(page.get_by_text("Could not refresh")).to_be_hidden()
        visitor.leave()
        assert all("net::ERR_FAILED" in complaint for complaint in visitor.complaints)


class TestCopying:
    @pytest.mark.parametrize("number", [1, 2])
    def test_a_command_is_copied_and_it_is_said(self, url, visitor, number) -> None:
        page = visitor.page(permissions=["clipboard-read", "clipboard-write"])
        page.goto(url)
        row(page, "alias/ledger").locator("summary").click()
        button = row(page, "alias/ledger").get_by_role("button", name=f"Copy command {number}")
        button.click()
        expect(page.get_by_role("status")).to_have_text("Command copied.")
        expect(button).to_have_text("Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == row(page, "alias/ledger").locator("code").nth(number - 1).text_content()
        assert "arn:aws:kms:eu-west-1:111122223333:key/ledger" in copied

    def test_it_works_where_the_page_does_not_come_encrypted(self, url, visitor) -> None:
        page = visitor.visit(url.replace("127.0.0.1", PLAIN_HOST))
        assert page.evaluate("isSecureContext") is False
        row(page, "alias/ledger").locator("summary").click()
        row(page, "alias/ledger").get_by_role("button", name="Copy command 1").click()
        expect(page.get_by_role("status")).to_have_text("Command copied.")
        page.get_by_label("Search").focus()
        page.keyboard.press("Control+V")
        expect(page.get_by_label("Search")).to_have_value(
            "kms-exporter cancel-deletion arn:aws:kms:eu-west-1:111122223333:key/ledger --reason 'WHY'"
        )

    def test_where_nothing_may_be_copied_the_command_is_selected(self, url, visitor) -> None:
        page = visitor.page()
        page.add_init_script("document.execCommand = () => false")
        page.goto(url.replace("127.0.0.1", PLAIN_HOST))
        row(page, "alias/ledger").locator("summary").click()
        row(page, "alias/ledger").get_by_role("button", name="Copy command 2").click()
        expect(page.get_by_role("status")).to_have_text("Command selected: copy it with your keyboard.")
        assert page.evaluate("String(getSelection())").startswith("aws kms cancel-key-deletion")


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
class TestFinding:
    @pytest.fixture
    def page(self, url, visitor, scripts) -> Page:
        return visitor.visit(f"{url}/?refresh=off", java_script_enabled=scripts)

    def test_the_most_urgent_comes_first(self, page) -> None:
        expect(names(page)).to_have_text(["alias/cards", "alias/ledger", "alias/archive"])

    def test_searching(self, page) -> None:
        page.get_by_label("Search").fill("build-42")
        page.get_by_label("Search").press("Enter")
        expect(page.get_by_role("heading", name="Pending deletion", level=2)).to_contain_text("1 of 3 match")
        expect(names(page)).to_have_text(["alias/cards"])
        expect(page.get_by_label("Search")).to_have_value("build-42")
        page.get_by_role("link", name="Show all", exact=True).click()
        expect(names(page)).to_have_count(3)

    def test_filtering(self, page) -> None:
        page.get_by_label("Acknowledged").select_option("no")
        page.get_by_label("Region").select_option("eu-west-2")
        page.get_by_role("button", name="Show").click()
        expect(names(page)).to_have_text(["alias/ledger"])
        expect(page.get_by_label("Region")).to_have_value("eu-west-2")

    def test_numbers_lead_to_their_keys(self, page) -> None:
        page.get_by_role("link", name="known to be needed").click()
        expect(names(page)).to_have_text(["alias/cards"])

    def test_sorting(self, page) -> None:
        page.get_by_role("link", name="Sort by Key").click()
        expect(names(page)).to_have_text(["alias/archive", "alias/cards", "alias/ledger"])
        expect(page.get_by_role("columnheader", name="Sort by Key")).to_have_attribute("aria-sort", "ascending")
        page.get_by_role("link", name="Sort by Key").click()
        expect(names(page)).to_have_text(["alias/ledger", "alias/cards", "alias/archive"])

    def test_the_commands_open(self, page, scripts) -> None:
        ledger = row(page, "alias/ledger")
        expect(ledger.locator("code").first).to_be_hidden()
        ledger.locator("summary").click()
        expect(ledger.get_by_text("aws kms cancel-key-deletion")).to_be_visible()
        expect(ledger.get_by_role("button")).to_have_count(2 if scripts else 0)


def test_a_bad_parameter_is_one_line(url, browser) -> None:
    visitor = Visitor(browser)
    page = visitor.visit(f"{url}/?sort=age")
    assert page.inner_text("body").startswith("sort='age' is not accepted; accepted are deletion,")
    visitor.leave()


class TestEverybody:
    @pytest.fixture
    def page(self, url, visitor) -> Page:
        return visitor.visit(f"{url}/?refresh=off")

    def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(self, page) -> None:
        reached = []
        for _ in range(60):
            page.keyboard.press("Tab")
            here = page.evaluate(
                "() => { const here = document.activeElement; const { outlineStyle } = getComputedStyle(here);"
                " return [here.tagName, here.textContent || here.name || '', outlineStyle !== 'none']; }"
            )
            if here[0] == "BODY":
                break
            reached.append(here)
        texts = [" ".join(text.split()) for _, text, _ in reached]
        assert texts[0] == "Skip to the keys"
        wanted = [
            "Metrics",
            "q",
            "Show",
            "Sort by Time left ▲",
            "AWS console of alias/cards",
            "Runbook for alias/cards",
        ]
        assert [text for text in texts if text in wanted] == wanted
        assert any(text.startswith("Save this key: alias/archive") for text in texts)
        assert all(visible for *_, visible, _ in reached)

    def test_the_skip_link_leads_to_the_keys(self, page) -> None:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the keys")).to_be_in_viewport()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Sort by Time left")).to_be_focused()

    def test_commands_open_by_key(self, page) -> None:
        row(page, "alias/cards").locator("summary").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(row(page, "alias/cards").get_by_role("button", name="Copy command 1")).to_be_focused()

    def test_there_are_landmarks_one_title_and_headings(self, page) -> None:
        expect(page.get_by_role("heading", level=1)).to_have_text("KMS keys pending deletion")
        assert page.get_by_role("heading", level=2).all_text_contents() == [
            "Pending deletion",
            "Acknowledgements to look at",
            "What is watched",
            "Latest changes",
        ]
        for landmark in ("banner", "main", "search", "contentinfo"):
            expect(page.get_by_role(landmark)).to_have_count(1)

    @pytest.mark.parametrize("size", SIZES)
    def test_a_screen_reader_is_told_of_tables(self, url, visitor, size) -> None:
        width, height = SIZES[size]
        page = visitor.visit(f"{url}/?refresh=off", viewport={"width": width, "height": height})
        table = page.get_by_role("table", name="KMS keys pending deletion")
        expect(table.get_by_role("rowheader")).to_have_count(3)
        expect(table).to_match_aria_snapshot("""
            - table /KMS keys pending deletion/:
              - rowgroup:
                - row:
                  - columnheader "Sort by Time left":
                    - link "Sort by Time left"
                  - columnheader "Sort by Key":
                    - link "Sort by Key"
                  - columnheader "Sort by Account Sort by Region":
                    - link "Sort by Account"
                    - link "Sort by Region"
                  - columnheader "Sort by Scheduled by":
                    - link "Sort by Scheduled by"
                  - columnheader "Sort by Still needed?":
                    - link "Sort by Still needed?"
                  - columnheader "Intended?"
        """)

    def test_nothing_but_the_result_of_copying_is_announced(self, page) -> None:
        assert page.locator("[aria-live], [role=status], [role=alert], [role=log], [role=timer]").count() == 1
        expect(page.get_by_role("status")).to_be_empty()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("size", SIZES)
    def test_text_stands_out_from_its_ground_and_nothing_is_wider_than_the_window(
        self, url, visitor, size, scheme
    ) -> None:
        width, height = SIZES[size]
        page = visitor.visit(
            f"{url}/?q=a&refresh=off", viewport={"width": width, "height": height}, color_scheme=scheme
        )
        for summary in page.locator("summary").all():
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [found for found in page.evaluate(CONTRAST) if found["ratio"] < LEAST_CONTRAST] == []

    def test_dark_is_dark(self, url, visitor) -> None:
        grounds = [
            visitor.visit(url, color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
            for scheme in ("light", "dark")
        ]
        assert grounds == ["rgb(247, 248, 250)", "rgb(16, 18, 20)"]

    def test_on_a_phone_rows_are_cards_whose_parts_say_what_they_are(self, url, visitor) -> None:
        page = visitor.visit(url, viewport={"width": 360, "height": 780})
        cells = row(page, "alias/cards").locator("tr").first.locator("td, th")
        boxes = [cell.bounding_box() for cell in cells.all()]
        assert len({box["x"] for box in boxes}) == 1
        assert all(above["y"] + above["height"] <= below["y"] for above, below in pairwise(boxes))
        label = "element => getComputedStyle(element, '::before').content"
        assert [cell.evaluate(label) for cell in cells.all()][3:] == [
            '"Scheduled by"',
            '"Still needed?"',
            '"Intended?"',
        ]


def test_hostile_text_is_inert_and_breaks_nothing(url, exporter, visitor) -> None:
    keys = [
        pending(f"k-{number}", number + 1, aliases=(text,), description=text * 40)
        for number, text in enumerate(HOSTILE)
    ]
    evidence = {
        key.key_id: Evidence(
            Scheduling(NOW - DAY, key.alias),
            denied_uses=DeniedUses(1, NOW, key.alias, key.alias),
            grants=Grants(9, (key.alias,)),
        )
        for key in keys
    }
    unbroken = Key("x" * 2000, f"arn:aws:kms:eu-west-1:1:key/{'x' * 2000}", "PendingDeletion", description="y" * 8000)
    exporter.snapshot = Snapshot(NOW, 1, (state(IRELAND, *keys, unbroken, evidence=evidence),))
    page = visitor.visit(url, viewport={"width": 360, "height": 780})
    expect(page.get_by_text("<script>alert(1)</script>").first).to_be_visible()
    assert page.locator("main script, main img, main style").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_ten_thousand_pending_keys_come_in_pages(url, exporter, visitor) -> None:
    keys = [pending(f"{number:05}", number / 100, aliases=(f"alias/key-{number:05}",)) for number in range(10_000)]
    exporter.snapshot = Snapshot(NOW, 1, (state(IRELAND, *keys),))
    page = visitor.visit(f"{url}/?refresh=off")
    expect(page.get_by_text("1 to 100 of 10000 keys, page 1 of 100")).to_be_visible()
    expect(names(page)).to_have_count(100)
    page.get_by_role("link", name="Next").click()
    expect(names(page).first).to_have_text("alias/key-00100")
    page.get_by_label("Search").fill("key-0999")
    page.get_by_label("Search").press("Enter")
    expect(names(page)).to_have_text([f"alias/key-{number:05}" for number in range(9990, 10_000)])
