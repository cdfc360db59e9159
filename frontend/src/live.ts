// What does the page know of the running flow? Totals, rates and the newest traces.
import { merge } from "./rows";
import type { Connection } from "./socket";
import { Store } from "./store";
import { Rates } from "./totals";
import type { Frame, NodeTotals, Row } from "./types";

export interface LiveState {
  readonly connection: Connection;
  readonly nodes: Readonly<Record<string, NodeTotals>>;
  readonly wires: Readonly<Record<string, number>>;
  readonly nodeRates: Readonly<Record<string, number>>;
  readonly wireRates: Readonly<Record<string, number>>;
  readonly lag: number;
  readonly rows: readonly Row[];
  /** Traces that ran but are not among the rows. */
  readonly skipped: number;
}

const EMPTY: LiveState = {
  connection: "connecting",
  nodes: {},
  wires: {},
  nodeRates: {},
  wireRates: {},
  lag: 0,
  rows: [],
  skipped: 0,
};

const RATES_EVERY_MS = 500;

/** Two digits are all that is drawn; more of them would only redraw for nothing. */
const rounded = (rate: number): number => Number(rate.toPrecision(2));

export class Live {
  private ratedAt = -Infinity;
  readonly store = new Store<LiveState>(EMPTY);
  private readonly nodeRates = new Rates();
  private readonly wireRates = new Rates();

  /** Takes in a frame that came at `now` (ms). A snapshot doesn't undo what is known already. */
  take(frame: Frame, now: number): void {
    const { rows, skipped } = this.store.get();
    const arrived = Object.entries(frame.totals.nodes).map(
      ([id, node]): [string, number] => [id, node.arrived ?? 0],
    );
    this.nodeRates.push(now, Object.fromEntries(arrived));
    this.wireRates.push(now, frame.totals.wires);
    const isDue = now - this.ratedAt >= RATES_EVERY_MS;
    this.store.set({
      ...(isDue ? this.ratesOf(frame.totals.nodes, frame.totals.wires, now) : {}),
      nodes: frame.totals.nodes,
      wires: frame.totals.wires,
      lag: frame.lag,
      rows: merge(rows, frame.rows),
      skipped: skipped + frame.skipped,
    });
  }

  /** Lets the rates fall while nothing comes. */
  tick(now: number): void {
    const { nodes, wires, wireRates } = this.store.get();
    if (Object.values(wireRates).every((rate) => rate === 0)) return;
    this.store.set(this.ratesOf(nodes, wires, now));
  }

  private ratesOf(
    nodes: LiveState["nodes"],
    wires: LiveState["wires"],
    now: number,
  ): Pick<LiveState, "nodeRates" | "wireRates"> {
    this.ratedAt = now;
    const rates = (names: object, source: Rates) =>
      Object.fromEntries(Object.keys(names).map((name) => [name, rounded(source.perSecond(name, now))]));
    return { nodeRates: rates(nodes, this.nodeRates), wireRates: rates(wires, this.wireRates) };
  }
}
