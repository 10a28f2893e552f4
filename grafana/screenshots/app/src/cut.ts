// What of the page cannot be read: texts that are too long for their place, contents that have to be scrolled.

/** Return the beginnings of the texts that are cut. A table may have more rows than are seen. */
export function cut(): string[] {
  const all = [...document.querySelectorAll<HTMLElement>('#root *')];
  // What is a pixel wide is there for screen readers only.
  const tooLong = all.filter(
    (one) =>
      one.clientWidth > 1 &&
      one.scrollWidth > one.clientWidth + 1 &&
      (one.matches('[role="grid"], [role="gridcell"], [role="columnheader"]') ||
        (one.children.length === 0 && getComputedStyle(one).overflowX !== 'visible'))
  );
  const tooHigh = all.filter(
    (one) =>
      !one.closest('[role="grid"]') &&
      one.scrollHeight > one.clientHeight + 1 &&
      ['auto', 'scroll'].includes(getComputedStyle(one).overflowY)
  );
  return [...tooLong, ...tooHigh].map((one) => (one.textContent ?? '').slice(0, 60));
}
