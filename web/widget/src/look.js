// Colours, place and style sheet, from the settings and what the visitor's system prefers.

import { h } from './text.js';

// Where the window covers the page: a phone, or a page enlarged to 300 % and more.
export const NARROW = '(max-width: 480px), (max-height: 480px)';

const SURFACES = { light: [255, 255, 255], dark: [24, 26, 31] };

function channels(text) {
  const hex = /^#([0-9a-f]{6})$/i.exec(String(text || '').replace(/^#(.)(.)(.)$/, '#$1$1$2$2$3$3'));
  return hex ? [0, 2, 4].map((at) => parseInt(hex[1].slice(at, at + 2), 16)) : null;
}

// Relative luminance and contrast as WCAG 2 defines them.
function luminance(colour) {
  const [red, green, blue] = colour.map((channel) => {
    const part = channel / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

// A brand colour that would vanish in the dark gets lighter until its shapes are seen (3 to 1).
function lightened(colour, surface) {
  let result = colour;
  for (let step = 0; step < 20 && contrast(result, surface) < 3; step += 1) {
    result = result.map((channel) => Math.round(channel + (255 - channel) * 0.1));
  }
  return result;
}

const css = (colour) => `rgb(${colour.join(' ')})`;
const INK = [16, 18, 22];

export function applyLook(root, settings, language) {
  const accent = channels(settings.Color) || [26, 77, 143];
  const dark = window.matchMedia('(prefers-color-scheme: dark)');

  function paint() {
    const fixed = String(settings.Theme || '').toLowerCase();
    const theme = fixed === 'dark' || fixed === 'light' ? fixed : dark.matches ? 'dark' : 'light';
    const colour = theme === 'dark' ? lightened(channels(settings.ColorDark) || accent, SURFACES.dark) : accent;
    root.setAttribute('data-theme', theme);
    root.style.setProperty('--accent', css(colour));
    // A focus ring in the brand's colour where it can be seen on the surface.
    root.style.setProperty('--ring', contrast(colour, SURFACES[theme]) >= 3 ? css(colour) : 'var(--focus)');
    root.style.setProperty('--on-accent', css(contrast(colour, [255, 255, 255]) >= 4.5 ? [255, 255, 255] : INK));
  }

  paint();
  if (dark.addEventListener) dark.addEventListener('change', paint);

  const place = String(settings.Position || 'end').toLowerCase();
  const right = language.direction === 'rtl' ? 'start' : 'end';
  root.setAttribute('data-side', place === 'right' || place === right ? 'right' : 'left');
  root.setAttribute('dir', language.direction);
  root.setAttribute('lang', language.culture);
  const numbers = { '--x': [settings.OffsetX, 'px'], '--y': [settings.OffsetY, 'px'], '--z': [settings.ZIndex, ''] };
  for (const [name, [value, unit]] of Object.entries(numbers)) {
    if (/^\d{1,10}$/.test(value || '')) root.style.setProperty(name, value + unit);
  }
  const font = settings.Font === 'inherit' ? getComputedStyle(document.body).fontFamily : settings.Font;
  if (font && CSS.supports('font-family', font)) root.style.setProperty('--font', font);

  // A phone's keyboard shrinks what is visible, but not the window's height.
  const visible = window.visualViewport;
  if (visible) {
    const fit = () => root.style.setProperty('--visible', `${Math.round(visible.height)}px`);
    visible.addEventListener('resize', fit);
    fit();
  }
}

// A constructed sheet needs no permission of the page's policy. Browsers without it get the sheet with the script's own
// nonce, or as a file of the server.
export function addStyle(shadow, text, nonce, base) {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    shadow.adoptedStyleSheets = [sheet];
    if (shadow.adoptedStyleSheets.length) return;
  } catch (problem) {
    // Not known here.
  }
  if (nonce) {
    const style = h('style');
    style.nonce = nonce;
    style.textContent = text;
    shadow.append(style);
    if (style.sheet) return;
  }
  shadow.append(h('link', { rel: 'stylesheet', href: new URL('scripts/webchat.css', base).href }));
}
