"use strict";
// What the page does beyond its links and forms: it counts down, copies commands, and takes in what is new without
// taking away what its reader is at. Without it, everything is still there.
(() => {
  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const COPIED_MS = 2000;
  const TYPING_MS = 4000;
  const RETRY_MS = 2000;
  const root = document.documentElement;
  const said = document.getElementById("said");
  const offline = document.getElementById("offline");
  // The clock of this computer may be wrong; the server's is what the dates are about.
  let ahead = Date.now() / 1000 - Number(document.body.dataset.now);
  let typedAt = -Infinity;

  // The two largest units of a duration: the words of `exporter.times.span`.
  function span(seconds) {
    const whole = Math.max(Math.floor(seconds), 0);
    for (let i = 0; i + 1 < UNITS.length; i++) {
      const [size, unit] = UNITS[i];
      const [part, small] = UNITS[i + 1];
      if (whole >= size) return `${Math.floor(whole / size)} ${unit} ${Math.floor((whole % size) / part)} ${small}`;
    }
    return `${whole} s`;
  }

  function tick() {
    const now = Date.now() / 1000 - ahead;
    for (const count of document.querySelectorAll("[data-at]")) {
      const left = Number(count.dataset.at) - now;
      const text = left <= 0 ? "due now" : span(left);
      if (count.textContent !== text) count.textContent = text;
    }
  }

  async function copy(button, code) {
    let copied;
    try {
      await navigator.clipboard.writeText(code.textContent);
      copied = true;
    } catch {
      // Browsers keep the clipboard to pages that came encrypted; the selection is left for the reader to copy.
      getSelection().selectAllChildren(code);
      copied = document.execCommand("copy");
      if (copied) getSelection().removeAllRanges();
    }
    said.textContent = "";
    said.textContent = copied ? "Command copied." : "Command selected: copy it with your keyboard.";
    button.textContent = copied ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, COPIED_MS);
  }

  function addCopyButtons(within) {
    for (const details of within.querySelectorAll("details[id^='save/']")) {
      details.querySelectorAll("pre").forEach((block, number) => {
        const button = document.createElement("button");
        button.type = "button";
        button.id = `copy-${number}/${details.id}`;
        button.textContent = "Copy";
        button.setAttribute("aria-label", `Copy command ${number + 1}`);
        button.addEventListener("click", () => copy(button, block.firstElementChild));
        block.before(button);
      });
    }
  }

  function busy() {
    return !getSelection().isCollapsed || performance.now() - typedAt < TYPING_MS;
  }

  // Put the sections of a page that was fetched in the place of those shown: open details stay open, the focus where
  // it is. What is typed into the form stands outside of them.
  function take(fetched) {
    const focused = document.activeElement?.id;
    for (const details of document.querySelectorAll("details[open]")) {
      fetched.getElementById(details.id)?.setAttribute("open", "");
    }
    addCopyButtons(fetched);
    for (const section of document.querySelectorAll("[data-live]")) {
      section.replaceChildren(...fetched.getElementById(section.id).childNodes);
    }
    document.title = fetched.title;
    ahead = Date.now() / 1000 - Number(fetched.body.dataset.now);
    tick();
    if (focused && document.activeElement?.id !== focused) {
      (document.getElementById(focused) ?? document.getElementById("pending")).focus({ preventScroll: true });
    }
  }

  async function refresh() {
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(answer.status);
      const fetched = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (busy()) return RETRY_MS;
      if (fetched.documentElement.dataset.version !== root.dataset.version) location.reload();
      else take(fetched);
      offline.hidden = true;
    } catch {
      offline.hidden = false;
    }
    return Number(root.dataset.refresh) * 1000;
  }

  async function step() {
    const wait = document.hidden || busy() ? RETRY_MS : await refresh();
    const freshness = document.getElementById("freshness");
    freshness.textContent = busy() ? "Refreshes again once you are done." : `Refreshes every ${root.dataset.refresh} s.`;
    setTimeout(step, wait);
  }

  document.addEventListener("input", () => { typedAt = performance.now(); });
  addCopyButtons(document);
  setInterval(tick, 1000);
  tick();
  if (root.dataset.refresh) setTimeout(step, Number(root.dataset.refresh) * 1000);
})();
