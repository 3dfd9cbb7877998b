/** Figures, times and elements as they are shown. Decimals stay text: no digit goes through a float. */

export const MISSING = "–";

const MARKS = { provisional: "○", closed: "●", revised: "◆", held: "⊘" };

/** A decimal with its thousands apart, and at least so many places; further zeros are left out. */
export function decimal(text, places = 0) {
  const [whole, fraction = ""] = text.split(".");
  const kept = fraction.replace(/0+$/, "").padEnd(places, "0");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return kept ? `${grouped}.${kept}` : grouped;
}

/** How many decimal places these decimals need. */
export function placesOf(texts) {
  return texts.reduce((most, text) => Math.max(most, (text.split(".")[1] ?? "").replace(/0+$/, "").length), 0);
}

export function count(number) {
  return number.toLocaleString("en-US");
}

/** A time of the API as `2024-08-09 10:05:30`, by the second. */
export function utc(text) {
  return text === null ? MISSING : text.slice(0, 19).replace("T", " ");
}

/** The start of a window, without the seconds, which are none. */
export function windowStart(text) {
  return utc(text).replace(/:00$/, "");
}

/** A length of time in its two largest units. */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([number]) => number > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([number]) => number > 0).map((part) => part.join(" ")).join(" ");
}

/** How long ago a time of the API is. */
export function ago(text, nowMs) {
  return `${duration(nowMs - Date.parse(text))} ago`;
}

/** Finality with its mark, so that it is not told by colour alone. */
export function finalityText(row) {
  const times = row.revisions > 1 ? ` ×${row.revisions}` : "";
  return `${MARKS[row.finality] ?? ""} ${row.finality}${times}`;
}

/** Put text into the element of an id. */
export function say(id, text) {
  const element = document.getElementById(id);
  if (element.textContent !== text) element.textContent = text;
  return element;
}

/** Show a text in an element that is hidden without one. */
export function sayOrHide(id, text) {
  say(id, text).hidden = text === "";
}
