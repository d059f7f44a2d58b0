// Signing out: what has not been sent belongs to this agent, and nobody after them may find it here (section 8).

import { button, make, replace } from './dom.js';
import { number, say } from './words.js';
import { explained } from './show.js';
import { request } from './api.js';

export class Leave {
  // `onLeft` when the session has been ended and the buffer emptied.
  constructor({ outbox, sender, session, onLeft }) {
    Object.assign(this, { outbox, sender, session, onLeft });
    this.question = make('p', { id: 'question' });
    this.problem = make('p', { class: 'warning', role: 'alert', hidden: true });
    this.acts = make('div', { class: 'acts' });
    this.dialog = make(
      'dialog',
      { 'aria-labelledby': 'leaving', 'aria-describedby': 'question' },
      make('h2', { id: 'leaving' }, say('SignOut')),
      this.question,
      this.problem,
      this.acts,
    );
    this.node = make('div', {}, button(say('SignOut'), () => this.ask()), this.dialog);
  }

  async ask() {
    const waiting = await this.outbox.count().catch(() => this.outbox.size);
    if (!waiting) return this.leave();
    this.question.textContent = say('UnsentQuestion', { n: number(waiting) });
    this.problem.hidden = true;
    const stay = button(say('Stay'), () => this.dialog.close(), 'primary');
    const send = button(say('SendFirst'), () => {
      this.dialog.close();
      this.sender.nudge();
    });
    const drop = button(say('DeleteAndSignOut'), () => this.leave());
    replace(this.acts, stay, send, drop);
    if (!this.dialog.open) this.dialog.showModal();
    return stay.focus();
  }

  async leave() {
    try {
      await request('DELETE', 'session', { token: await this.session.token(), credentials: 'same-origin' });
    } catch (problem) {
      // Whoever is no longer signed in need not be signed out.
      if (problem.status !== 401) return this.refuse(problem);
    }
    await this.outbox.wipe().catch(() => {});
    return this.onLeft();
  }

  refuse(problem) {
    this.question.textContent = '';
    this.problem.textContent = explained(problem);
    this.problem.hidden = false;
    if (!this.acts.childNodes.length) replace(this.acts, button(say('Stay'), () => this.dialog.close(), 'primary'));
    if (!this.dialog.open) this.dialog.showModal();
  }
}
