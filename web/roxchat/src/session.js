// The token (section 7.2): in memory only, renewed before it ends, and never used for anybody but the agent whose page this is.

import { Problem, request } from './api.js';
import { pageId, settings } from './settings.js';

// Epoch seconds or RFC 3339.
const millisOf = (value) => (typeof value === 'number' ? value * 1000 : Date.parse(value));

// Clocks of page and server may differ: whatever they say, not more often and not less often than this.
const SOONEST = 20000;
const LATEST = 600000;

export class Session {
  // `onChange` is told when the agent is signed in, and when they are no longer.
  constructor(onChange) {
    this.onChange = onChange;
    this.current = null;
    this.asking = null;
    this.since = 0;
    this.until = 0;
    // Why there is none: `signed_out`, or `other_agent` where somebody else has signed in to this browser.
    this.over = null;
  }

  async token() {
    if (this.current) return this.current;
    this.asking ||= this.ask().finally(() => {
      this.asking = null;
    });
    return this.asking;
  }

  async ask() {
    let answer = null;
    try {
      answer = await request('POST', 'session', { body: JSON.stringify({ pageId }) });
    } catch (problem) {
      if (problem.status === 401) this.end('signed_out');
      throw problem;
    }
    if (answer.agent.id !== settings.agent.id) {
      this.end('other_agent');
      throw new Problem('other_agent', 401);
    }
    this.current = answer.token;
    this.since = Date.now();
    this.until = millisOf(answer.expiresAt);
    clearTimeout(this.timer);
    const wait = millisOf(answer.renewAt) - Date.now();
    this.timer = setTimeout(() => this.renew(), Math.min(Math.max(wait || 0, SOONEST), LATEST));
    this.over = null;
    this.onChange();
    return this.current;
  }

  // The old one is good until the new one is here.
  async renew() {
    try {
      this.asking ||= this.ask().finally(() => {
        this.asking = null;
      });
      await this.asking;
    } catch (problem) {
      if (problem.status !== 401) this.timer = setTimeout(() => this.renew(), SOONEST);
    }
  }

  end(why) {
    clearTimeout(this.timer);
    this.current = null;
    this.over = why;
    this.onChange();
  }

  // The server says that it is no longer good.
  refuse(token) {
    if (this.current === token) this.current = null;
  }

  async call(method, path, data) {
    const body = data === undefined ? undefined : JSON.stringify(data);
    const token = await this.token();
    try {
      return await request(method, path, { token, body });
    } catch (problem) {
      if (problem.status !== 401) throw problem;
      this.refuse(token);
      return request(method, path, { token: await this.token(), body });
    }
  }
}
