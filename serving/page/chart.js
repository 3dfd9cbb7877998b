/** The chart: candles and volume. Provisional bars are hollow and shaded, revised ones have a square above. */

import {
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  HistogramSeries,
  LineStyle,
  createChart,
  createSeriesMarkers,
} from "./lightweight-charts-5.2.1/lightweight-charts.standalone.production.mjs";
import { utc } from "./text.js";
import { Zone } from "./zone.js";

const COLOURS = ["ink", "muted", "line", "up", "down", "up-soft", "down-soft", "zone", "revised", "card"];
const ZOOM = 1.25;
const ROOM = 4; // bars of empty room on the right
const WIDEST_PX = 48;
const USUAL_PX = 8;
const ROOMY_PX = 24; // where bars are few

export class BarChart {
  /** @param point Called with the start of the bar that is pointed at, in seconds, or null. */
  constructor(container, point) {
    this.container = container;
    this.point = point;
    this.bars = [];
    this.places = 2;
    this.at = null;
    this.chart = createChart(container, {
      autoSize: true,
      // The library would write a style element for its logo, which the page's policy forbids; the footer has the notice.
      layout: { attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily },
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: { timeVisible: true, secondsVisible: false, rightOffset: ROOM, maxBarSpacing: WIDEST_PX },
      localization: { timeFormatter: (time) => `${utc(new Date(time * 1000).toISOString()).slice(0, 16)} UTC` },
      handleScroll: { vertTouchDrag: false }, // which scrolls the page
    });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.candles = this.chart.addSeries(CandlestickSeries, { lastValueVisible: false, priceLineVisible: false });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.1, bottom: 0.22 } });
    this.markers = createSeriesMarkers(this.candles, []);
    this.zone = new Zone();
    this.candles.attachPrimitive(this.zone);
    this.newest = null; // the line at the newest close; the library's own has no colour where a candle is hollow
    this.chart.subscribeCrosshairMove(({ time }) => {
      if (this.at === null) this.point(time ?? null);
    });
    container.addEventListener("pointermove", () => {
      this.at = null; // the pointer goes before the keys
    });
    container.addEventListener("keydown", (event) => this.press(event));
    container.addEventListener("blur", () => this.leave());
    this.recolour();
  }

  /** Take the colours of the page, which follow the reader's scheme. */
  recolour() {
    const style = getComputedStyle(document.documentElement);
    this.colours = Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    const { ink, muted, line, card, up, down } = this.colours;
    this.chart.applyOptions({
      layout: { background: { type: ColorType.Solid, color: card }, textColor: muted },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
      crosshair: {
        vertLine: { color: muted, labelBackgroundColor: ink },
        horzLine: { color: muted, labelBackgroundColor: ink },
      },
    });
    this.candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    this.draw();
  }

  /** Show these rows, oldest first. What is seen of them stays as it was, unless they are others altogether. */
  show(rows, places, { anew = false } = {}) {
    this.bars = rows.map((row) => ({ row, time: Date.parse(row.window_start) / 1000 }));
    this.places = places;
    this.draw();
    if (anew) this.fit();
  }

  fit() {
    this.leave();
    const scale = this.chart.timeScale();
    scale.resetTimeScale();
    const to = this.bars.length + ROOM;
    const width = this.container.clientWidth;
    scale.setVisibleLogicalRange({ from: to - Math.max(width / ROOMY_PX, Math.min(to + 1, width / USUAL_PX)), to });
  }

  draw() {
    const { up, down, "up-soft": upSoft, "down-soft": downSoft, zone, revised } = this.colours;
    const digits = { minimumFractionDigits: this.places, maximumFractionDigits: this.places };
    const formatter = (price) => price.toLocaleString("en-US", digits);
    this.candles.applyOptions({ priceFormat: { type: "custom", minMove: 10 ** -this.places, formatter } });
    this.candles.setData(
      this.bars.map(({ row, time }) => {
        const prices = { open: +row.open, high: +row.high, low: +row.low, close: +row.close };
        const colour = prices.close >= prices.open ? up : down;
        const isHollow = ["provisional", "held"].includes(row.finality);
        return { time, ...prices, color: isHollow ? "transparent" : colour, borderColor: colour, wickColor: colour };
      }),
    );
    this.volume.setData(
      this.bars.map(({ row, time }) => ({ time, value: +row.volume, color: +row.close >= +row.open ? upSoft : downSoft })),
    );
    const provisional = this.bars.filter(({ row }) => ["provisional", "held"].includes(row.finality));
    this.zone.show(new Set(provisional.map(({ time }) => time)), zone);
    const changed = this.bars.filter(({ row }) => row.finality === "revised");
    this.markers.setMarkers(
      changed.map(({ time }) => ({ time, position: "aboveBar", shape: "square", color: revised, size: 0.6 })),
    );
    this.drawNewest();
  }

  drawNewest() {
    const newest = this.bars.at(-1)?.row;
    if (this.newest) this.candles.removePriceLine(this.newest);
    this.newest = null;
    if (!newest) return;
    const color = +newest.close >= +newest.open ? this.colours.up : this.colours.down;
    this.newest = this.candles.createPriceLine({ price: +newest.close, color, lineWidth: 1, lineStyle: LineStyle.Dotted });
  }

  press(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in steps) this.step(steps[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1 / ZOOM);
    else if (event.key === "-") this.zoom(ZOOM);
    else if (event.key === "Escape") this.leave();
    else return;
    event.preventDefault();
  }

  step(by) {
    const last = this.bars.length - 1;
    if (last < 0) return;
    const known = this.bars.findIndex(({ time }) => time === this.at);
    const index = Math.max(0, Math.min(last, (known < 0 ? last : known) + by));
    const { row, time } = this.bars[index];
    this.at = time;
    const scale = this.chart.timeScale();
    const seen = scale.getVisibleLogicalRange();
    if (index === last) scale.scrollToPosition(ROOM, false);
    else if (seen && (index < seen.from || index > seen.to)) {
      const half = (seen.to - seen.from) / 2;
      scale.setVisibleLogicalRange({ from: index - half, to: index + half });
    }
    requestAnimationFrame(() => {
      if (this.at === time) this.chart.setCrosshairPosition(+row.close, time, this.candles); // once it has scrolled there
    });
    this.point(time, { spoken: true });
  }

  zoom(by) {
    const scale = this.chart.timeScale();
    const seen = scale.getVisibleLogicalRange();
    if (seen) scale.setVisibleLogicalRange({ from: seen.to - (seen.to - seen.from) * by, to: seen.to });
  }

  leave() {
    this.at = null;
    this.chart.clearCrosshairPosition();
    this.point(null);
  }
}
