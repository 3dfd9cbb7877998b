/** All markets with their newest close, to choose from. */

import { decimal, finalityText, windowStart } from "./text.js";

const MOST = 200;

/** @param rows The newest row of each market. @param choose Called with venue and symbol of the one that is pressed. */
export function showMarkets(rows, isChosen, choose) {
  const body = document.querySelector("#markets tbody");
  const focused = document.activeElement?.dataset.market;
  body.replaceChildren(...rows.slice(0, MOST).map((row) => line(row, isChosen(row), choose)));
  if (focused) [...body.querySelectorAll("button")].find((button) => button.dataset.market === focused)?.focus();
  document.getElementById("markets-more").hidden = rows.length <= MOST;
}

function line(row, isChosen, choose) {
  const element = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = row.symbol;
  button.dataset.market = `${row.venue}/${row.symbol}`;
  if (isChosen) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => choose(row.venue, row.symbol));
  const venue = document.createElement("small");
  venue.textContent = row.venue;
  name.append(button, venue);
  const newest = document.createElement("td");
  newest.className = "number";
  const close = document.createElement("span");
  close.textContent = decimal(row.close);
  const state = document.createElement("small");
  state.className = `finality ${row.finality}`;
  state.textContent = `${finalityText(row)} ${windowStart(row.window_start).slice(11)}`;
  newest.append(close, state);
  element.append(name, newest);
  return element;
}
