/** Builds elements, and makes what is shown like them. */

const SVG = "http://www.w3.org/2000/svg";
const SVG_NAMES = new Set(["svg", "g", "path", "rect", "line", "text", "title", "circle"]);

/** Makes an element: attributes and children; what is nullish or false is left out. */
export function h(name, attributes = {}, ...children) {
  const element = SVG_NAMES.has(name)
    ? document.createElementNS(SVG, name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    element.setAttribute(key, value === true ? "" : value);
  }
  element.append(
    ...children.flat(9).filter((child) => child || child === 0).map((child) =>
      typeof child === "object" ? child : String(child)
    ),
  );
  return element;
}

/** Makes what is page.shown like what should be, and keeps the elements: the focus, what is open and selected stays. */
function morph(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName || old.id !== next.id) {
    return old.replaceWith(next);
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const [before, after] = [[...old.childNodes], [...next.childNodes]];
  for (const [index, child] of after.entries()) {
    if (index < before.length) morph(before[index], child);
    else old.append(child);
  }
  for (const child of before.slice(after.length)) child.remove();
}

export function fill(element, ...children) {
  const next = element.cloneNode(false);
  next.append(...children.flat(9).filter(Boolean));
  morph(element, next);
}
