/** The bars of one market and interval, as they were told last. */

const MOST = 2000;

export class Bars {
  constructor() {
    this.rows = new Map();
    this.before = new Map();
  }

  clear() {
    this.rows.clear();
    this.before.clear();
  }

  /** Take in an event of the stream: all rows anew, or those that changed, with what had been told as final before. */
  take({ kind, rows, was }) {
    if (kind === "state") this.rows.clear();
    for (const row of was) this.before.set(row.window_start, row);
    for (const row of rows) this.rows.set(row.window_start, row);
    const starts = [...this.rows.keys()].sort((a, b) => Date.parse(a) - Date.parse(b));
    for (const start of starts.slice(0, Math.max(0, starts.length - MOST))) {
      this.rows.delete(start);
      this.before.delete(start);
    }
    this.sorted = starts.slice(-MOST).map((start) => this.rows.get(start));
  }

  /** Oldest first. */
  get list() {
    return this.rows.size ? this.sorted : [];
  }

  get newest() {
    return this.list.at(-1);
  }

  /** A bar as it had been told when it was final, if it was revised since this page was opened. */
  wasOf(row) {
    return this.before.get(row.window_start);
  }
}
