// Text from the server and how it becomes part of the page. Nothing here, or anywhere else in this widget, turns a
// string of the server into markup: strings become text nodes, links are built from parsed URLs.

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", '#39': "'", '#x27': "'" };

// The server encodes `Text` (& < > " ') each time it goes to a browser. One pass, so that a visitor who writes about
// "&amp;lt;" is shown what was written.
export function decode(encoded) {
  return String(encoded == null ? '' : encoded)
    .replace(/&(amp|lt|gt|quot|apos|#39|#x27);/gi, (whole, name) => ENTITIES[name.toLowerCase()]);
}

export function fill(text, ...values) {
  return text.replace(/\{(\d)\}/g, (whole, index) => (values[index] == null ? '' : String(values[index])));
}

// Characters of a string in UTF-16 units, as the server counts, without cutting a surrogate pair.
export function cut(text, units) {
  return /[\uD800-\uDBFF]/.test(text.charAt(units - 1)) ? text.slice(0, units - 1) : text.slice(0, units);
}

export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value != null && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

// A line drawing of 24 by 24 units, invisible to screen readers: the button around it has the name.
export function icon(...paths) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  for (const path of paths) {
    const line = document.createElementNS(space, 'path');
    line.setAttribute('d', path);
    svg.append(line);
  }
  return svg;
}

function link(address, newTab) {
  let url = null;
  try {
    url = new URL(address);
  } catch (problem) {
    return null;
  }
  // "https://bank.example@evil.example" is left as text: it is written to be misread.
  if (!/^https?:$/.test(url.protocol) || url.username || url.password) return null;
  return h('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer nofollow' },
    address, h('span', { class: 'sr' }, ` (${newTab})`));
}

// An address without the marks that belong to the sentence around it.
function bare(address) {
  const count = (mark) => address.split(mark).length;
  const trailing = /[.,;:!?*_\]}»”…]$/.test(address) || (address.endsWith(')') && count(')') > count('('));
  return trailing ? bare(address.slice(0, -1)) : address;
}

// The nodes of a text in which http and https addresses can be clicked.
export function linked(text, newTab) {
  const nodes = [];
  let done = 0;
  const pattern = /https?:\/\/[^\s<>"']+/gi;
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    const address = bare(found[0]);
    const made = link(address, newTab);
    if (!made) continue;
    nodes.push(text.slice(done, found.index), made);
    done = found.index + address.length;
  }
  nodes.push(text.slice(done));
  return nodes.filter((node) => node !== '');
}
