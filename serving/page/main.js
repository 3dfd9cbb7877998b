/** The page: what is chosen is streamed into the chart and the table; the rest is asked for every few seconds. */

import { ask, repeat, serverNow } from "./api.js";
import { Bars } from "./bars.js";
import { BarChart } from "./chart.js";
import { Choice } from "./choice.js";
import { Freshness } from "./freshness.js";
import { showMarkets } from "./markets.js";
import { BarStream } from "./stream.js";
import { showBars, showCycles, showGaps, showLanes } from "./tables.js";
import { MISSING, count, decimal, finalityText, placesOf, say, sayOrHide, utc, windowStart } from "./text.js";

const VIEW = "v1/views/bars";
const LAST = 300;
const MARKETS_MS = 5000;
const FRESHNESS_MS = 2000;
const RECORDS_MS = 5000;
const CYCLES = 10;

const bars = new Bars();
const freshness = new Freshness();
const chart = new BarChart(document.getElementById("chart"), pointAt);
const stream = new BarStream(take, standing);
const choice = new Choice(turn);
let places = 2;
let isDue = false;
let isAnew = true;
let awaySince = null;
let pointedAt = null;
let markets = [];

/** Show another market or interval. */
function turn() {
  bars.clear();
  freshness.forget();
  isAnew = true;
  say("market", choice.symbol).dataset.venue = choice.venue;
  document.title = `${choice.symbol} · Twofold`;
  draw();
  listMarkets(markets);
  stream.open(`${VIEW}/stream?${new URLSearchParams({ ...choice.parameters, last: LAST })}`);
  askFreshness();
}

function take(event) {
  bars.take(event);
  freshness.take(event.freshness);
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(draw);
}

function draw() {
  isDue = false;
  const rows = bars.list;
  places = placesOf(rows.flatMap((row) => [row.open, row.high, row.low, row.close]));
  chart.show(rows, places, { anew: isAnew && rows.length > 0 });
  if (rows.length) isAnew = false;
  document.getElementById("empty").hidden = rows.length > 0;
  const { newest } = bars;
  say("price", newest ? decimal(newest.close, places) : "").dataset.direction = newest ? direction(newest) : "";
  say("finality", newest ? finalityText(newest) : "").className = `finality ${newest?.finality ?? ""}`;
  if (newest) document.title = `${decimal(newest.close, places)} ${choice.symbol} · Twofold`;
  freshness.takeBar(newest);
  read(bars.list.find((row) => Date.parse(row.window_start) / 1000 === pointedAt) ?? newest);
  showBars(bars, places);
}

function direction(row) {
  return +row.close >= +row.open ? "up" : "down";
}

/** Show the figures of the bar that is pointed at, else of the newest. */
function pointAt(time, { spoken = false } = {}) {
  pointedAt = time;
  const row = bars.list.find((one) => Date.parse(one.window_start) / 1000 === time) ?? bars.newest;
  read(row);
  if (spoken && row) {
    const figures = ["open", "high", "low", "close"].map((name) => `${name} ${decimal(row[name], places)}`);
    say("spoken", `${windowStart(row.window_start)} UTC, ${row.finality}: ${figures.join(", ")}`);
  }
}

function read(row) {
  say("reading-start", row ? `${windowStart(row.window_start)} UTC` : MISSING);
  for (const name of ["open", "high", "low", "close"]) {
    say(`reading-${name}`, row ? decimal(row[name], places) : MISSING);
  }
  say("reading-volume", row ? decimal(row.volume) : MISSING);
  say("reading-trades", row ? count(row.trades) : MISSING);
}

function standing(state, reason) {
  const texts = { live: "Stream live", connecting: "Connecting…", away: "Stream away, coming back…" };
  say("stream", texts[state]).dataset.state = state;
  if (state !== "away") awaySince = null;
  else awaySince ??= new Date(serverNow()).toISOString();
  const since = awaySince && `The stream is away since ${utc(awaySince)} UTC; bars are shown as they were then.`;
  sayOrHide("away", state === "away" ? `${since} ${reason} The page tries again by itself.`.replace("  ", " ") : "");
  document.body.dataset.stream = state;
}

async function askMarkets() {
  try {
    const { rows } = await ask(VIEW, { last: 1, columns: "close,revisions" });
    choice.offer(rows);
    listMarkets(rows);
    if (!rows.length) say("empty", "No trade was folded yet. Bars appear with the first one.");
  } catch (error) {
    if (!choice.key) say("empty", error.message);
  }
}

function listMarkets(rows) {
  markets = rows;
  const isChosen = (row) => row.venue === choice.venue && row.symbol === choice.symbol;
  showMarkets(rows, isChosen, (venue, symbol) => choice.choose(venue, symbol, choice.interval));
}

async function askFreshness() {
  const { key } = choice;
  if (!key) return;
  try {
    const answer = await ask(VIEW, { ...choice.parameters, last: 1, columns: "trades" });
    if (key !== choice.key) return;
    sayOrHide("freshness-problem", "");
    freshness.take(answer.freshness);
  } catch (error) {
    if (key !== choice.key) return;
    freshness.forget();
    sayOrHide("freshness-problem", error.message);
  }
}

async function askLanes() {
  try {
    const told = await ask("v1/lanes");
    sayOrHide("lanes-problem", "");
    freshness.takeLanes(told);
    showLanes(told.lanes);
    say("dead", count(told.lanes.reduce((sum, lane) => sum + lane.dead_letters, 0)));
  } catch (error) {
    sayOrHide("lanes-problem", `${error.message} The table is what was told last.`);
  }
}

async function askGaps() {
  try {
    const { gaps, sequence } = await ask("v1/gaps");
    sayOrHide("gaps-problem", "");
    const more = showGaps(gaps);
    const rest = more ? ` ${count(more)} more are at /v1/gaps.` : "";
    const asOf = sequence ? `as of publication #${count(sequence)}` : "as told from the first publication on";
    say("gaps-about", `Ids that sources left out, ${asOf}.${rest}`);
    say("missing", count(gaps.reduce((sum, gap) => sum + gap.ids, 0)));
  } catch (error) {
    sayOrHide("gaps-problem", `${error.message} The table is what was told last.`);
  }
}

async function askCycles() {
  try {
    const { publications } = await ask("v1/publications", { last: CYCLES });
    sayOrHide("cycles-problem", "");
    showCycles(publications);
  } catch (error) {
    sayOrHide("cycles-problem", `${error.message} The table is what was told last.`);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.recolour());
setInterval(() => freshness.show(), 1000);
repeat(MARKETS_MS, askMarkets);
repeat(FRESHNESS_MS, askFreshness);
repeat(RECORDS_MS, () => Promise.all([askLanes(), askCycles(), askGaps()]));
