/** A shade behind runs of bars, as a primitive of lightweight-charts. */

export class Zone {
  constructor() {
    this.times = new Set();
    this.colour = "";
    const view = { zOrder: () => "bottom", renderer: () => ({ draw: (target) => this.draw(target) }) };
    this.views = [view];
  }

  attached({ chart, requestUpdate }) {
    this.chart = chart;
    this.requestUpdate = requestUpdate;
  }

  paneViews() {
    return this.views;
  }

  /** Shade the bars that start at these times. */
  show(times, colour) {
    this.times = times;
    this.colour = colour;
    this.requestUpdate?.();
  }

  draw(target) {
    const scale = this.chart.timeScale();
    const half = scale.options().barSpacing / 2;
    target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio: ratio }) => {
      context.fillStyle = this.colour;
      for (const time of this.times) {
        const middle = scale.timeToCoordinate(time);
        if (middle === null) continue;
        const from = Math.round((middle - half) * ratio);
        const to = Math.round((middle + half) * ratio); // where the next begins, so that none overlap
        context.fillRect(from, 0, to - from, bitmapSize.height);
      }
    });
  }
}
