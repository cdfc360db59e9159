// How fast do events flow? Rates come from successive absolute totals, so a lost frame costs
// nothing but smoothness.
const WINDOW_MS = 5000;
const SHORTEST_MS = 1000;

interface Sample {
  readonly at: number;
  readonly count: number;
}

/** Keeps the totals of the last seconds, by name ("node:port", or a node's id). */
export class Rates {
  private readonly samples = new Map<string, Sample[]>();

  /** Takes in the totals known at `at` (ms). A total that fell means a new beginning. */
  push(at: number, totals: Readonly<Record<string, number>>): void {
    for (const [name, count] of Object.entries(totals)) {
      const list = this.samples.get(name);
      const last = list?.at(-1);
      if (!list || !last || count < last.count) {
        this.samples.set(name, [{ at, count }]);
        continue;
      }
      list.push({ at, count });
      // The newest sample from before the window stays: it is where the window begins.
      while ((list[1]?.at ?? at) <= at - WINDOW_MS) list.shift();
    }
  }

  /** Events per second over the last five seconds. */
  perSecond(name: string, now: number): number {
    const list = this.samples.get(name);
    const last = list?.at(-1);
    if (!list || !last) return 0;
    const opening = now - WINDOW_MS;
    const before = list.findLast((sample) => sample.at <= opening) ?? list[0];
    if (!before || last.count === before.count) return 0;
    const span = now - Math.max(before.at, opening);
    return ((last.count - before.count) * 1000) / Math.max(span, SHORTEST_MS);
  }
}
