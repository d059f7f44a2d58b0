// What the app put into the address (section 7). A plus is a plus: nothing here is a form.

// Says that the token has been taken and the page is only reloaded. Reserved: no parameter of an action.
export const RESUME = 'resume';

const LONGEST_TOKEN = 2048;

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function judged(tokens) {
  if (tokens.length > 1) return 'token_duplicate';
  if (tokens.length === 0 || tokens[0] === '') return 'token_missing';
  const [token] = tokens;
  if (token === null || new TextEncoder().encode(token).length > LONGEST_TOKEN) return 'token_malformed';
  return /[\u0000-\u001f\u007f-\u009f]/.test(token) ? 'token_malformed' : null;
}

// `problem` is the code of what is wrong with the token. Of other names the first value counts; what cannot be decoded does not.
export function readQuery(search) {
  const tokens = [];
  const params = {};
  const rest = [];
  let resumed = false;
  for (const pair of search.replace(/^\?/, '').split('&').filter(Boolean)) {
    const [rawName, ...rawValue] = pair.split('=');
    const name = decoded(rawName);
    const value = decoded(rawValue.join('='));
    if (name === 'token') tokens.push(value);
    else if (name === RESUME) resumed = true;
    else {
      rest.push(pair);
      if (name !== null && value !== null && !Object.hasOwn(params, name)) {
        Object.defineProperty(params, name, { value, enumerable: true });
      }
    }
  }
  return { token: tokens[0], problem: judged(tokens), hasToken: tokens.length > 0, resumed, params, rest: rest.join('&') };
}
