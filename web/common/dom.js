// Elements from plain values. Nothing here makes markup of a string: texts become text nodes, the rest attributes.

const SVG = 'http://www.w3.org/2000/svg';

// Outlines on a grid of 24.
const SHAPES = {
  close: ['M6 6l12 12', 'M18 6L6 18'],
  back: ['M15 5l-7 7 7 7'],
  send: ['M4 12l16-8-6 16-3-7z'],
  clip: ['M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7L9.4 17a1.7 1.7 0 0 1-2.4-2.4L14.5 7'],
  file: ['M7 3h7l4 4v14H7z', 'M14 3v4h4'],
  done: ['M5 13l4 4L19 7'],
  part: ['M12 6v7', 'M12 17h.01'],
  wrong: ['M7 7l10 10', 'M17 7L7 17'],
  play: ['M8 5v14l11-7z'],
  article: ['M6 4h12v16H6z', 'M9 9h6', 'M9 13h6'],
  quiz: ['M9 9a3 3 0 1 1 4.2 2.8c-.8.4-1.2 1-1.2 2', 'M12 17h.01'],
};

function add(node, children) {
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) {
      node.append(typeof child === 'object' ? child : document.createTextNode(String(child)));
    }
  }
}

// `on` holds listeners; `true` is an attribute without a value; null, undefined and false leave one out.
export function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'on') {
      for (const [kind, listener] of Object.entries(value)) node.addEventListener(kind, listener);
    } else if (value === true) node.setAttribute(name, '');
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, String(value));
  }
  add(node, children);
  return node;
}

export function icon(name) {
  const node = document.createElementNS(SVG, 'svg');
  node.setAttribute('viewBox', '0 0 24 24');
  node.setAttribute('class', `icon i-${name}`);
  node.setAttribute('aria-hidden', 'true');
  for (const shape of SHAPES[name]) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', shape);
    node.append(path);
  }
  return node;
}

export const button = (text, listener, kind = '') =>
  make('button', { type: 'button', class: kind, on: { click: listener } }, text);

export const iconButton = (name, label, listener, kind = '') =>
  make(
    'button',
    { type: 'button', class: `round ${kind}`, 'aria-label': label, title: label, on: { click: listener } },
    icon(name),
  );

export function replace(node, ...children) {
  node.replaceChildren();
  add(node, children);
}

// An address that may stand in src or href: of the web, or of this origin. Else null: never script, data or a custom scheme.
export function webAddress(text) {
  try {
    const url = new URL(String(text), document.baseURI);
    return url.protocol === 'https:' || url.origin === location.origin ? url.href : null;
  } catch {
    return null;
  }
}

// Focus where the reader goes on, without a ring around a whole heading or region.
export function focusOn(node) {
  node.setAttribute('tabindex', '-1');
  node.focus();
}

export const still = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

// Hands a file to the person. A link with `download` is no pop-up, and what it holds is never rendered.
export function save(blob, name) {
  const link = make('a', { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
