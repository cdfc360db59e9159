// What would a busy flow tell the page? Events walk the drawing at random and leave totals and rows.
const TYPES = ["OrderCreated", "OrderPaid", "OrderShipped", "RefundAsked"];
const ZERO = { arrived: 0, passed: 0, filtered: 0, delivered: 0, dead: 0, held: 0 };
const SHOWN_PER_FRAME = 12;

export class Traffic {
  constructor(document) {
    this.document = document;
    this.change = 0;
    this.nodes = Object.fromEntries(document.nodes.map(({ id }) => [id, { ...ZERO }]));
    this.wires = {};
    this.count = 0;
    this.random = 7;
  }

  chance() {
    this.random = (this.random * 48_271) % 2_147_483_647;
    return this.random / 2_147_483_647;
  }

  walk(start, at) {
    const path = [];
    let state = "ok";
    let error = null;
    for (let id = start; id; ) {
      path.push(id);
      const totals = this.nodes[id];
      totals.arrived += 1;
      const type = this.document.nodes.find((node) => node.id === id)?.type ?? "";
      if (type.startsWith("consumer.http") && this.chance() < 0.04) {
        [state, error] = ["failed", "503 from billing.example: try later"];
        totals.dead += 1;
        break;
      }
      if (type.startsWith("consumer.http") && this.chance() < 0.05) {
        state = "held";
        totals.held = Math.min(9, totals.held + 1);
        break;
      }
      const ways = this.document.wires.filter((wire) => wire.from.startsWith(`${id}:`));
      const way = ways[Math.floor(this.chance() * ways.length)];
      const leaves = type.includes("condition") && this.chance() < 0.4;
      if (!way || leaves) {
        if (!type.startsWith("consumer")) state = "filtered";
        totals[state === "ok" ? "delivered" : "filtered"] += 1;
        break;
      }
      totals.passed += 1;
      this.wires[way.from] = (this.wires[way.from] ?? 0) + 1;
      id = way.to;
    }
    this.count += 1;
    this.change += 1;
    return {
      id: `1-${this.count % 8}-${4700 + this.count}`, change: this.change, state, error, path,
      type: TYPES[Math.floor(this.chance() * TYPES.length)], key: `c-${Math.floor(this.chance() * 90)}`,
      event_id: `e-${this.count}`, at: new Date(at).toISOString(),
      ms: state === "held" ? null : 0.4 + this.chance() ** 4 * 900,
    };
  }

  frame(kind, events, spread = 0) {
    const starts = this.document.nodes.filter((node) => node.type.startsWith("producer"));
    const rows = [];
    for (let index = 0; index < events && starts.length > 0; index += 1) {
      const start = starts[Math.floor(this.chance() * starts.length)].id;
      rows.push(this.walk(start, Date.now() - (events - index) * spread));
    }
    const shown = rows.slice(-Math.max(SHOWN_PER_FRAME, spread ? 40 : 0));
    return {
      kind, change: this.change, totals: { nodes: this.nodes, wires: this.wires },
      lag: 0, rows: shown, skipped: rows.length - shown.length,
    };
  }
}
