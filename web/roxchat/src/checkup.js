// What an administrator needs to see when nothing arrives (section 12, row 1): which origin Rox.Chat has to know, and what came.

import { button, make, replace } from './dom.js';
import { number, say } from './words.js';
import { visible } from './text.js';
import { tell } from './agent.js';
import { theirs } from './show.js';
import { settings } from './settings.js';

const MOST_NAMES = 20;

export class Checkup {
  // `look` tells what stands elsewhere: {waiting, lost, rejected, isKept, since, until}.
  constructor(look) {
    this.look = look;
    this.counts = { event: 0, foreign: 0, origin: 0, large: 0, malformed: 0 };
    this.rejectedOrigin = null;
    this.unknown = new Set();
    this.loadedAt = null;
    this.firstAt = null;
    this.list = make('dl', {});
    const copy = button(say('Copy'), async () => {
      try {
        await navigator.clipboard.writeText(settings.origin);
        tell(say('Copied'));
      } catch {
        tell(say('NotCopied'));
      }
    });
    const origin = make('p', { class: 'origin' }, make('code', { dir: 'ltr' }, settings.origin), ' ', copy);
    const { origin: actual } = location;
    const wrong = settings.origin === actual ? null : make('p', { class: 'warning' }, say('OtherOrigin', { origin: actual }));
    this.node = make(
      'details',
      { class: 'part' },
      make('summary', {}, say('SelfCheck')),
      make('p', {}, say('RegisterOrigin')),
      origin,
      wrong,
      this.list,
    );
    this.node.addEventListener('toggle', () => {
      clearInterval(this.timer);
      if (!this.node.open) return;
      this.draw();
      this.timer = setInterval(() => this.draw(), 1000);
    });
  }

  count(fate, origin) {
    this.counts[fate] += 1;
    if (fate === 'event') this.firstAt ||= Date.now();
    if (fate === 'origin') this.rejectedOrigin = origin;
  }

  // Told once for each load of the page.
  unknownEvent(name) {
    if (this.unknown.size < MOST_NAMES) this.unknown.add(name);
  }

  draw() {
    const { waiting, lost, rejected, isKept, since, until } = this.look();
    const ago = (at) => (at ? say('SecondsAgo', { n: number(Math.round((Date.now() - at) / 1000)) }) : say('NotYet'));
    const rows = [
      ['FrameLoaded', ago(this.loadedAt)],
      ['FirstEvent', ago(this.firstAt)],
      ['Events', number(this.counts.event)],
      ['UnknownEvents', this.unknown.size ? theirs([...this.unknown].join(', ')) : number(0)],
      ['WrongOrigin', number(this.counts.origin)],
      ['LastWrongOrigin', this.rejectedOrigin ? make('code', { dir: 'ltr' }, visible(this.rejectedOrigin)) : say('None')],
      ['OtherWindows', number(this.counts.foreign)],
      ['Malformed', number(this.counts.malformed)],
      ['TooLarge', number(this.counts.large)],
      ['Waiting', number(waiting)],
      ['Rejected', number(rejected)],
      ['Lost', number(lost)],
      ['Kept', say(isKept ? 'KeptHere' : 'InMemory')],
      ['TokenAge', since ? ago(since) : say('None')],
      ['TokenLeft', until ? say('SecondsLeft', { n: number(Math.max(0, Math.round((until - Date.now()) / 1000))) }) : say('None')],
    ];
    replace(this.list, rows.flatMap(([label, value]) => [make('dt', {}, say(label)), make('dd', {}, value)]));
  }
}
