// What comes to the window, in the order of section 6.2. Only the very frame that the page made, from an origin that is configured
// as a whole, is listened to.

import { isObject, own } from './text.js';

// Far above a text that is kept whole, so that a longer one still comes to be cut and is not lost; below what would stop the page.
const MOST_CHARACTERS = 8 * 1024 * 1024;
// Below what JSON readers follow.
const DEEPEST = 60;

export const EVENTS = [
  'newMessageAdded',
  'chatClosedByOperator',
  'visitorAuthorized',
  'visitorSelected',
  'notificationAdded',
  'notificationRemoved',
];

const isDeep = (value, left = DEEPEST) =>
  value !== null && typeof value === 'object' && (left === 0 || Object.values(value).some((inner) => isDeep(inner, left - 1)));

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// A cycle or a number without end has no JSON.
function serialised(data) {
  try {
    return typeof data === 'string' ? data : JSON.stringify(data);
  } catch {
    return undefined;
  }
}

// `fate`: foreign (another window), origin, large, malformed, or event. `data` is there from the fourth check on.
export function examine(event, frame, { workspaceOrigins, source }) {
  if (!event.source || event.source !== frame.contentWindow) return { fate: 'foreign' };
  if (!workspaceOrigins.includes(event.origin)) return { fate: 'origin' };
  const text = serialised(event.data);
  if (text === undefined) return { fate: 'malformed' };
  if (text.length > MOST_CHARACTERS) return { fate: 'large' };
  const data = typeof event.data === 'string' ? parsed(text) : event.data;
  if (!isObject(data) || isDeep(data)) return { fate: 'malformed' };
  const name = own(data, 'event');
  const params = own(data, 'params') ?? {};
  const isEvent = own(data, 'source') === source && typeof name === 'string' && name && name.length <= 64 && isObject(params);
  return isEvent ? { fate: 'event', data, name, params } : { fate: 'malformed', data };
}
