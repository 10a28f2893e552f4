// Every text that can be seen, with the contrast between it and what is behind it
// (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio).
() => {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((part) => part / 255).map((part) => (
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (channels(color)[3] !== 0) return color;
    }
    return getComputedStyle(document.documentElement).backgroundColor;
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest("script, .hidden")) continue;
    const [lighter, darker] = [getComputedStyle(element).color, ground(element)].map(luminance).sort((a, b) => b - a);
    found.push({ text: texts.currentNode.data.trim(), ratio: (lighter + 0.05) / (darker + 0.05) });
  }
  return found;
}
