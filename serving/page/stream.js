/** The stream of one question's rows. It comes back by itself, and says when it is away. */

const SOONEST_MS = 1000;
const LATEST_MS = 15_000;

export class BarStream {
  /**
   * @param tell Called with `{kind, rows, was, freshness, receipt}` for each event that tells rows.
   * @param standing Called with `live`, `connecting` or `away`, and the reason, each time that changes.
   */
  constructor(tell, standing) {
    this.tell = tell;
    this.standing = standing;
    this.source = null;
    this.timer = null;
  }

  /** Read the stream at an address in place of the one before. */
  open(address) {
    this.close();
    this.address = address;
    this.waitMs = SOONEST_MS;
    this.standing("connecting", "");
    this.connect();
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  connect() {
    const source = new EventSource(this.address);
    this.source = source;
    let reason = "";
    source.addEventListener("open", () => {
      reason = "";
      this.waitMs = SOONEST_MS;
      this.standing("live", "");
    });
    for (const kind of ["state", "change"]) {
      source.addEventListener(kind, (event) => this.tell({ kind, was: [], ...JSON.parse(event.data) }));
    }
    source.addEventListener("end", (event) => {
      reason = JSON.parse(event.data).detail;
    });
    source.addEventListener("error", () => {
      this.standing("away", reason);
      // Browsers come back by themselves after a connection broke, but not after a refusal, as of a server that starts.
      if (source.readyState === EventSource.CLOSED) this.connectLater();
    });
  }

  connectLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), this.waitMs);
    this.waitMs = Math.min(this.waitMs * 2, LATEST_MS);
  }
}
