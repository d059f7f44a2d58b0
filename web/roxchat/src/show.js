// What the parts of the page have in common: texts of others, and what went wrong.

import { make } from './dom.js';
import { say } from './words.js';
import { visible } from './text.js';

// A text of somebody else: its direction is its own.
export const theirs = (text, tag = 'bdi') => make(tag, { dir: 'auto', class: 'text' }, visible(text));

// The five of Rox.Chat (section 5.1), and our own.
const REASONS = {
  operator_cant_start_chat_with_visitor_from_another_department: 'OtherDepartment',
  visitor_starting_chat_from_his_side: 'VisitorIsStarting',
  visitor_already_in_chat: 'AlreadyInChat',
  no_tariff_option: 'NotInPlan',
  unable_to_start_outgoing_chat: 'UnableToStart',
  invalid_params: 'InvalidParams',
  session_unknown: 'SessionUnknown',
  unknown_visitor: 'UnknownVisitor',
  workspace_not_ready: 'WorkspaceNotReady',
  command_in_flight: 'CommandInFlight',
  no_open_workspace: 'NoOpenWorkspace',
  expired: 'Expired',
  offline: 'Unreachable',
  unavailable: 'TryAgainSoon',
};

export const reason = (code) => (Object.hasOwn(REASONS, code) ? say(REASONS[code]) : say('OtherError', { code: visible(code) }));

// Why something of our own functions is not there.
export const explained = (problem) => say(problem.message === 'offline' ? 'Unreachable' : 'TryAgainSoon');
