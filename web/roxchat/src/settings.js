// What the function wrote into the page: which workspace, which agent, which limits.

const given = JSON.parse(document.getElementById('config').textContent);

const LOOPBACK = /^(?:127\.0\.0\.1|\[::1\]|(?:[\w-]+\.)*localhost)$/;

// Over TLS, but for a workspace on the developer's own machine.
function isSafe(address) {
  try {
    const url = new URL(address);
    const secure = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname));
    return secure && !url.username && !url.password && !url.hash;
  } catch {
    return false;
  }
}

export const settings = {
  ...given,
  // `null` is the origin of every sandboxed frame, so no origin at all.
  workspaceOrigins: given.workspaceOrigins.filter((origin) => isSafe(origin) && new URL(origin).origin === origin),
  workspaceUrl: isSafe(given.workspaceUrl) ? given.workspaceUrl : null,
};

// One for each load of the page (section 7.3).
export const pageId = crypto.randomUUID();
