/** The tables: newest bars, lanes, batch cycles and gaps. All text goes in as text. */

import { MISSING, count, decimal, duration, finalityText, placesOf, utc, windowStart } from "./text.js";

const BARS = 12;
const GAPS = 50;

/** Fill a part of a table; a cell is text or `{text, kind, title}`. */
function fill(part, rows) {
  part.replaceChildren(
    ...rows.map(({ cells, heading = true, ...data }) => {
      const line = document.createElement("tr");
      Object.assign(line.dataset, data);
      cells.forEach((cell, place) => {
        const told = typeof cell === "string" ? { text: cell } : cell;
        const element = document.createElement(place === 0 && heading ? "th" : "td");
        if (element.tagName === "TH") element.scope = "row";
        element.textContent = told.text;
        if (told.kind) element.className = told.kind;
        if (told.colSpan) element.colSpan = told.colSpan;
        if (told.title) element.title = told.title;
        line.append(element);
      });
      return line;
    }),
  );
}

const number = (text) => ({ text, kind: "number" });
const counted = (amount) => ({ text: count(amount), kind: amount === 0 ? "number none" : "number" });
const nothing = (text, columns) => [{ heading: false, cells: [{ text, kind: "nothing", colSpan: columns }] }];

export function showBars(bars, places) {
  const rows = bars.list.slice(-BARS).reverse();
  const volumePlaces = placesOf(rows.map((row) => row.volume));
  const told = rows.map((row) => {
    const before = bars.wasOf(row);
    const close = decimal(row.close, places);
    const changed = before && row.finality === "revised" && before.close !== row.close;
    return {
      finality: row.finality,
      cells: [
        windowStart(row.window_start),
        { text: finalityText(row), kind: `finality ${row.finality}` },
        number(decimal(row.open, places)),
        number(decimal(row.high, places)),
        number(decimal(row.low, places)),
        number(changed ? `${close} (was ${decimal(before.close, places)})` : close),
        number(decimal(row.volume, volumePlaces)),
        number(count(row.trades)),
      ],
    };
  });
  fill(document.querySelector("#bars tbody"), told.length ? told : nothing("No bars yet", 8));
}

const KINDS = ["read", "folded", "duplicates", "dead_letters", "lost", "excluded"];

/** A lane is a long topic id and a partition: the end of it tells lanes apart. */
function laneName(lane) {
  const [topic, partition] = lane.split("/");
  return { text: topic.length > 8 ? `${topic.slice(0, 8)}…/${partition}` : lane, title: lane };
}

function laneState(lane) {
  if (lane.stalled) return { text: "▲ stalled", kind: "bad" };
  return lane.closed ? "closed" : "read";
}

const sum = (isBalanced) => (isBalanced ? { text: "✓ adds up", kind: "good" } : { text: "✗ does not add up", kind: "bad" });

export function showLanes(lanes) {
  const told = lanes.map((lane) => ({
    lane: lane.lane,
    cells: [laneName(lane.lane), ...KINDS.map((kind) => counted(lane[kind])), sum(lane.balanced), laneState(lane)],
  }));
  fill(document.querySelector("#lanes tbody"), told.length ? told : nothing("No lanes yet", 9));
  const totals = KINDS.map((kind) => counted(lanes.reduce((total, lane) => total + lane[kind], 0)));
  const all = { cells: ["All lanes", ...totals, sum(lanes.every((lane) => lane.balanced)), ""] };
  fill(document.querySelector("#lanes tfoot"), lanes.length > 1 ? [all] : []);
}

/** What a cycle changed; one that mends may give up publications, and go back. */
function changed(publication) {
  const gaveUp = publication.given_up.length ? [`gave up ${publication.given_up.map((one) => `#${one}`).join(", ")}`] : [];
  return [...publication.tables, ...gaveUp].join(", ") || "none";
}

export function showCycles(publications) {
  const told = publications.map((publication) => ({
    sequence: publication.sequence,
    cells: [
      `#${count(publication.sequence)}`,
      utc(publication.published_at),
      number(publication.after_s === null ? MISSING : duration(publication.after_s * 1000)),
      ...KINDS.map((kind) => counted(publication[kind])),
      changed(publication),
    ],
  }));
  fill(document.querySelector("#cycles tbody"), told.length ? told : nothing("Nothing was published yet", 10));
}

export function showGaps(gaps) {
  const told = gaps.slice(0, GAPS).map((gap) => ({
    state: gap.state,
    cells: [
      `${gap.symbol} · ${gap.venue}`,
      { text: gap.state, kind: `gap ${gap.state}` },
      number(count(gap.ids)),
      number(String(gap.first_id)),
      number(String(gap.last_id)),
      `${gap.first_event ? utc(gap.first_event) : MISSING} and ${gap.last_event ? utc(gap.last_event) : MISSING}`,
    ],
  }));
  fill(document.querySelector("#gaps tbody"), told.length ? told : nothing("No id is missing", 6));
  return Math.max(0, gaps.length - GAPS);
}
