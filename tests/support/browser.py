"""A real Chromium that looks at pages of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from grafana.screenshots.draw import CHROMIUM, FLAGS
from tests.support.components import program

PLAIN_HOST: Final = "exporter.test"
"""A name of this machine that browsers hold for another one: no secure context comes with it."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium."""
    program(CHROMIUM)
    with sync_playwright() as playwright:
        arguments = [*FLAGS, f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Opens pages, each in a profile of its own, and keeps what the browser complains about.

    Attributes:
        complaints: errors, warnings and violations of the Content-Security-Policy that the console showed, and dialogs.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self.complaints: list[str] = []

    def page(self, **options: Any) -> Page:
        """Return an empty page; `options` are those of `Browser.new_context`."""
        context = self._browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(10_000)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        return page

    def visit(self, url: str, **options: Any) -> Page:
        """Return a page that shows `url`."""
        page = self.page(**options)
        page.goto(url)
        return page

    def leave(self) -> None:
        """Close everything."""
        for context in self._contexts:
            context.close()
