// A brand's own frame around the conversation: `HtmlTemplate` is read into a document that runs nothing, and what is on
// the lists below is built anew from it. Places for the widget's parts are elements with `data-slot`.

import { h } from './text.js';

const ELEMENTS = 'a aside b br div em footer h3 h4 header hr i img li main ol p section small span strong ul'.split(' ');
const ATTRIBUTES = 'alt aria-hidden aria-label class dir height lang part title width'.split(' ');
const ADDRESSES = { href: /^(https?|mailto|tel):/i, src: /^https:/i };
const DEEPEST = 16;

function copy(node, slots, depth) {
  if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data);
  const tag = node.nodeType === Node.ELEMENT_NODE ? node.localName : '';
  if (!ELEMENTS.includes(tag) || depth > DEEPEST) return null;
  const element = h(tag);
  for (const { name, value } of Array.from(node.attributes)) {
    if (ATTRIBUTES.includes(name)) element.setAttribute(name, value);
    if (ADDRESSES[name] && ADDRESSES[name].test(value.trim())) element.setAttribute(name, value.trim());
  }
  if (tag === 'a') {
    element.target = '_blank';
    element.rel = 'noopener noreferrer';
  }
  if (tag === 'img' && !element.hasAttribute('src')) return null;
  const slot = node.getAttribute('data-slot');
  if (slot && !slots[slot]) slots[slot] = element;
  else element.append(...Array.from(node.childNodes, (child) => copy(child, slots, depth + 1)).filter(Boolean));
  return element;
}

// The copied nodes and the slots in them; null when the template cannot hold a conversation.
export function readTemplate(html) {
  if (!html) return null;
  try {
    // Pages that require trusted types let a script parse HTML only through a policy that they allow by name.
    const policy = window.trustedTypes
      ? window.trustedTypes.createPolicy('deskbridge-webchat', { createHTML: (text) => text })
      : { createHTML: (text) => text };
    // Styles are not taken anyway. They go before the parser sees them, as it would report them to the page's policy.
    const plain = html.replace(/<(\/?)style\b/gi, '<$1x-style')
      .replace(/<[^>]*>/g, (tag) => tag.replace(/\sstyle\s*=/gi, ' data-x='));
    const parsed = new DOMParser().parseFromString(policy.createHTML(plain), 'text/html');
    const slots = {};
    const nodes = Array.from(parsed.body.childNodes, (node) => copy(node, slots, 0)).filter(Boolean);
    return slots.main && slots.footer ? { nodes, slots } : null;
  } catch (problem) {
    return null;
  }
}
