/** The JSON API: asking it, again and again, and telling the time by its clock. */

import { askForKey } from "./login.js";

const PATIENCE_MS = 10_000;

let aheadMs = 0;

/** Now, by the server's clock, in milliseconds since 1970: ages do not depend on this machine's. */
export function serverNow() {
  return Date.now() + aheadMs;
}

/**
 * The JSON at a path.
 * @throws {Error} with a message for people: what the problem document says, or that nobody answers.
 */
export async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const response = await fetch(query ? `${path}?${query}` : path, {
    cache: "no-store", // an answer that has not changed has another age
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).catch(() => {
    throw new Error("The serving API does not answer.");
  });
  const date = Date.parse(response.headers.get("Date") ?? "");
  if (!Number.isNaN(date)) aheadMs = date - Date.now();
  const body = await response.json().catch(() => null);
  if (response.status === 401) askForKey();
  if (!response.ok || body === null) {
    throw new Error(body?.detail ?? `The serving API answered with status ${response.status}.`);
  }
  return body;
}

/** Do something now and again so long after each time, but not while nobody sees the page. */
export function repeat(everyMs, act) {
  const round = async () => {
    if (!document.hidden) await act();
    setTimeout(round, everyMs);
  };
  round();
}
