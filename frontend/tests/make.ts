// Plain builders for the tests.
import type { CatalogEntry, FlowDocument, Role, Row } from "../src/types";

const entry = (type: string, outputs: string[], more: Partial<CatalogEntry> = {}): CatalogEntry => {
  const role = type.split(".")[0] as Role;
  return {
    type,
    role,
    label: type.split(".")[1] ?? type,
    icon: "box",
    summary: "",
    has_input: role !== "producer",
    outputs: outputs.map((name) => ({ name, help: "" })),
    can_fail: role === "consumer",
    defaults: {},
    ...more,
  };
};

export const CATALOG: readonly CatalogEntry[] = [
  entry("producer.http", ["out"], { label: "HTTP" }),
  entry("filter.condition", ["match", "else"], { label: "Condition", defaults: { condition: "" } }),
  entry("filter.transform", ["out"], { label: "Transform" }),
  entry("filter.delay", ["out"], { label: "Delay", holds: true }),
  entry("consumer.http", [], { label: "HTTP request" }),
];

export const find = (type: string): CatalogEntry | undefined =>
  CATALOG.find((one) => one.type === type);

export function catalogued(type: string): CatalogEntry {
  const found = find(type);
  if (!found) throw new Error(`The tests' catalogue has no ${type}.`);
  return found;
}

/** A flow of "id type" nodes, one column apart, and "a:port>b" wires. */
export function flow(nodes: readonly string[], wires: readonly string[] = []): FlowDocument {
  const pairs = nodes.map((text) => text.split(" ") as [string, string]);
  return {
    name: "Orders",
    nodes: pairs.map(([id, type]) => ({ id, type, name: id, config: {} })),
    wires: wires.map((text) => {
      const [from = "", to = ""] = text.split(">");
      return { from, to };
    }),
    layout: Object.fromEntries(pairs.map(([id], index) => [id, [index * 320, 0] as const])),
  };
}

export const wiresOf = (doc: FlowDocument): string[] =>
  doc.wires.map((wire) => `${wire.from}>${wire.to}`).sort();

export const line = flow(
  ["in producer.http", "big filter.condition", "vat filter.transform", "call consumer.http"],
  ["in:out>big", "big:match>vat", "vat:out>call"],
);

export const row = (id: string, change: number, more: Partial<Row> = {}): Row => ({
  id,
  change,
  state: "ok",
  type: "OrderCreated",
  key: "c-1",
  event_id: `e-${id}`,
  at: `2026-11-23T10:00:0${id}.000Z`,
  ms: 1,
  path: ["in"],
  error: null,
  ...more,
});
