// Every text that the widget says by itself. A RoutingModel overrides them by name, or by number: FrontStage keeps
// literals in group 102 under numbers. A number is the place in this list, from 1, so new ones go to the end.

const DEFAULTS = [
  ['Culture', ''],
  ['Title', 'Chat with us'],
  ['Open', 'Open chat'],
  ['Close', 'Close chat'],
  ['Online', 'We are here for you'],
  ['Greeting', 'Hello! How can we help you?'],
  ['Placeholder', 'Write a message'],
  ['MessageLabel', 'Your message'],
  ['Send', 'Send'],
  ['You', 'You'],
  ['Agent', 'Customer service'],
  ['Conversation', 'Conversation'],
  ['Connecting', 'We are looking for a colleague for you'],
  ['Answered', 'Online'],
  ['Busy', 'We are busy at the moment. Write to us all the same: an answer may take a little longer.'],
  ['Closed', 'We are not here at the moment. Please come back later.'],
  ['Typing', '{0} is typing'],
  ['Sending', 'Sending'],
  ['Sent', 'Sent'],
  ['Delivered', 'Delivered'],
  ['NotSent', 'Not sent'],
  ['Retry', 'Try again'],
  ['Remove', 'Remove'],
  ['End', 'End conversation'],
  ['EndQuestion', 'Do you want to end this conversation?'],
  ['EndYes', 'Yes, end it'],
  ['EndNo', 'No, go on'],
  ['Ended', 'This conversation has ended.'],
  ['NewChat', 'Start a new conversation'],
  ['Offline', 'There is no connection. We keep trying.'],
  ['Failed', 'That did not work. Please try again.'],
  ['Unread', 'New messages: {0}'],
  ['Invite', 'Do you have a question? We are happy to help.'],
  ['InviteYes', 'Yes, please'],
  ['InviteNo', 'No, thank you'],
  ['Start', 'Start chat'],
  ['Next', 'Next'],
  ['Back', 'Back'],
  ['Step', 'Step {0} of {1}'],
  ['Required', 'required'],
  ['Choose', 'Please choose'],
  ['ErrorRequired', 'Please fill this in.'],
  ['ErrorInteger', 'Please enter a whole number.'],
  ['ErrorTime', 'Please enter a valid date or time.'],
  ['ErrorForm', 'Please check your answers.'],
  ['NewTab', 'opens in a new tab'],
];

const RIGHT_TO_LEFT = /^(ar|arc|ckb|dv|fa|he|iw|ks|ps|sd|syr|ug|ur|yi)\b/i;

export function readLiterals(overrides) {
  const given = overrides || {};
  const literals = {};
  DEFAULTS.forEach(([name, text], index) => {
    const override = [given[name], given[index + 1]].find((value) => typeof value === 'string' && value !== '');
    literals[name] = override === undefined ? text : override;
  });
  return literals;
}

// The language of the texts and the direction they run in. `Direction` in the settings wins over what the language says.
export function readLanguage(settings, literals, scenario) {
  const culture = String(literals.Culture || settings.Culture || (scenario && scenario.Culture) || 'en').replace('_', '-');
  const direction = /^(rtl|ltr)$/i.test(settings.Direction || '') ? settings.Direction.toLowerCase() : null;
  return { culture, direction: direction || (RIGHT_TO_LEFT.test(culture) ? 'rtl' : 'ltr') };
}

// Times and days in the language of the texts; a culture that the browser cannot read falls back to its own.
export function formatter(culture, options) {
  // "en" leaves open whose English; the visitor's browser often knows.
  const local = navigator.languages.find((language) => language.startsWith(`${culture}-`));
  try {
    return new Intl.DateTimeFormat(local || culture, options);
  } catch (problem) {
    return new Intl.DateTimeFormat(undefined, options);
  }
}
