/** What is shown: a venue, a symbol and an interval. It stands in the address behind `#`, to be kept or sent on. */

export class Choice {
  /** @param changed Called each time that something else is chosen. */
  constructor(changed) {
    this.venues = document.getElementById("venue");
    this.symbols = document.getElementById("symbol");
    this.markets = new Map();
    this.changed = changed;
    this.key = null;
    [this.venue, this.symbol, this.interval = "1m"] = read();
    this.checkInterval();
    document.getElementById("pick").addEventListener("submit", (event) => event.preventDefault());
    this.venues.addEventListener("change", () => this.choose(this.venues.value, null, this.interval));
    this.symbols.addEventListener("change", () => this.choose(this.venue, this.symbols.value, this.interval));
    document.getElementById("intervals").addEventListener("change", (event) => {
      this.choose(this.venue, this.symbol, event.target.value);
    });
    addEventListener("hashchange", () => {
      const [venue, symbol, interval = this.interval] = read();
      this.choose(venue, symbol, interval);
    });
  }

  /** The markets that there are, as rows with venue and symbol. */
  offer(rows) {
    const markets = new Map();
    for (const { venue, symbol } of rows) markets.set(venue, [...(markets.get(venue) ?? []), symbol]);
    for (const symbols of markets.values()) symbols.sort();
    const isSame = JSON.stringify([...markets]) === JSON.stringify([...this.markets]);
    if (isSame || markets.size === 0) return;
    this.markets = markets;
    this.choose(this.venue, this.symbol, this.interval);
  }

  /** Choose, as far as it exists; else the first that does. */
  choose(venue, symbol, interval) {
    if (this.markets.size === 0) return;
    this.venue = this.markets.has(venue) ? venue : [...this.markets.keys()][0];
    const symbols = this.markets.get(this.venue);
    this.symbol = symbols.includes(symbol) ? symbol : symbols[0];
    this.interval = interval;
    this.checkInterval();
    fillOptions(this.venues, [...this.markets.keys()], this.venue);
    fillOptions(this.symbols, symbols, this.symbol);
    const key = [this.venue, this.symbol, this.interval].map(encodeURIComponent).join("/");
    if (key === this.key) return;
    this.key = key;
    history.replaceState(null, "", `#${this.key}`);
    this.changed();
  }

  checkInterval() {
    const radios = [...document.querySelectorAll("#intervals input")];
    const chosen = radios.find((radio) => radio.value === this.interval) ?? radios[0];
    chosen.checked = true;
    this.interval = chosen.value;
  }

  /** The question that asks for it. */
  get parameters() {
    return { venue: this.venue, symbol: this.symbol, interval: this.interval };
  }
}

function read() {
  try {
    return location.hash.slice(1).split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return [];
  }
}

function fillOptions(select, names, chosen) {
  if (JSON.stringify([...select.options].map((option) => option.value)) !== JSON.stringify(names)) {
    select.replaceChildren(...names.map((name) => new Option(name, name)));
  }
  select.value = chosen;
  select.disabled = false;
}
