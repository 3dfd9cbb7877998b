/** The key, where serving needs one: it is exchanged for a cookie, which streams send too, and kept nowhere here. */

import { sayOrHide } from "./text.js";

const form = document.getElementById("login");
const field = document.getElementById("login-key");

/** Ask for the key, if it is not asked for already. */
export function askForKey() {
  if (!form.hidden) return;
  form.hidden = false;
  field.focus();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const headers = { Authorization: `Bearer ${field.value.trim()}` };
  // A key with letters that no header may have is not sent at all.
  const response = await fetch("v1/session", { method: "POST", headers }).catch(() => null);
  if (response?.ok) {
    location.reload();
    return;
  }
  const told = await response?.json().catch(() => null);
  sayOrHide("login-problem", told?.detail ?? "The key could not be sent. See whether more was copied with it.");
  field.select();
});
