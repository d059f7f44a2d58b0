// An event as it is sent and kept (section 7.3): one line of JSON, made once, so that every attempt sends the same.

import { bytesOf, cutTo, own, idOf } from './text.js';
import { pageId, settings } from './settings.js';

// Goes first when the buffer is full: what repeats itself, then what nobody knows. Messages and closings are never preferred.
const RANKS = { notificationAdded: 0, notificationRemoved: 0, visitorSelected: 0 };
const LASTING = ['newMessageAdded', 'chatClosedByOperator', 'visitorAuthorized'];
const rankOf = (name) => (LASTING.includes(name) ? 2 : own(RANKS, name) ?? 1);

// Half of a surrogate pair has no UTF-8, and JSON readers refuse its escape. Each match takes a whole escape, so that a backslash
// that is itself escaped does not begin another one.
const wellFormed = (json) => json.replace(/\\(?:u[0-9a-f]{4}|.)/g, (all) => (/^\\ud[89a-f]/.test(all) ? '\ufffd' : all));

let seq = 0;

// Whom an event is about.
export function visitorOf(name, params) {
  const of = name === 'visitorAuthorized' ? own(params, 'new') : params;
  return idOf(own(of, settings.visitorIdName));
}

// Null if it is too large to be sent at all, with all its texts cut.
export function eventOf({ data, name, params }, origin) {
  let originalBytes = 0;
  const cut = (_, value) => {
    // No character has more than three bytes for each unit.
    if (typeof value !== 'string' || value.length * 3 <= settings.limits.textBytes) return value;
    const bytes = bytesOf(value);
    if (bytes <= settings.limits.textBytes) return value;
    originalBytes = Math.max(originalBytes, bytes);
    return cutTo(value, settings.limits.textBytes);
  };
  const message = wellFormed(JSON.stringify(data, cut));
  const at = Date.now();
  const head = { eventId: crypto.randomUUID(), pageId, seq: seq + 1, receivedAt: new Date(at).toISOString(), origin };
  if (originalBytes) Object.assign(head, { truncated: true, originalBytes });
  const json = `${JSON.stringify(head).slice(0, -1)},"message":${message}}`;
  const bytes = bytesOf(json);
  if (bytes + 100 > settings.limits.batchBytes) return null;
  seq += 1;
  const { eventId } = head;
  const urgent = name === 'newMessageAdded';
  return { pageId, seq, eventId, at, json, bytes, rank: rankOf(name), urgent, visitor: visitorOf(name, params) };
}

export const batchOf = (rows) => `{"events":[${rows.map((row) => row.json).join(',')}]}`;
