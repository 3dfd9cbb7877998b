/** How fresh what is shown is: told by the API, and growing older by the second in between. */

import { serverNow } from "./api.js";
import { MISSING, ago, count, duration, finalityText, say, utc, windowStart } from "./text.js";

const MODES = {
  live: "● live",
  catching_up: "◐ catching up",
  paused: "‖ paused",
  away: "○ away",
  unused: MISSING,
};

export class Freshness {
  constructor() {
    this.told = null;
    this.lanes = null;
  }

  take(freshness) {
    this.told = freshness;
    this.heardAtMs = freshness.age_ms === null ? null : serverNow() - freshness.age_ms;
    this.show();
  }

  takeLanes(lanes) {
    this.lanes = lanes;
    this.show();
  }

  takeBar(row) {
    say("newest-bar", row ? windowStart(row.window_start) : MISSING);
    say("newest-bar-finality", row ? finalityText(row) : "").className = row ? `finality ${row.finality}` : "";
  }

  /** All of it is of another market now, or not known any more. */
  forget() {
    this.told = null;
    this.show();
  }

  show() {
    const { told, lanes } = this;
    const nowMs = serverNow();
    say("speed", told ? MODES[told.speed] ?? told.speed : MISSING).dataset.mode = told?.speed ?? "";
    say("heard", told && this.heardAtMs !== null ? `${duration(nowMs - this.heardAtMs)} ago` : MISSING);
    say("lag", told && told.lag_records !== null ? `${count(told.lag_records)} records` : MISSING);
    say("newest", told ? utc(told.newest_event) : MISSING);
    say("newest-age", told?.newest_event ? ago(told.newest_event, nowMs) : "");
    say("sequence", lanes ? (lanes.sequence ? `#${count(lanes.sequence)}` : "none yet") : MISSING);
    say("published", lanes?.sequence ? ago(lanes.published_at, nowMs) : "");
  }
}
