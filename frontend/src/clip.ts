// What does the clipboard carry? A piece of a flow as JSON text, so that it can be pasted into
// another flow, a chat or a file.
import { freshId, sourceOf, portOf } from "./graph";
import type { FlowDocument, FlowNode, Point, Wire } from "./types";

const FORMAT = "eventflow/1";

/** The chosen nodes with the wires among them, as a flow file's text. */
export function cut(doc: FlowDocument, ids: ReadonlySet<string>): string {
  const nodes = doc.nodes.filter((node) => ids.has(node.id));
  const wires = doc.wires.filter((wire) => ids.has(sourceOf(wire)) && ids.has(wire.to));
  const layout = Object.fromEntries(nodes.map((node) => [node.id, doc.layout[node.id] ?? [0, 0]]));
  return JSON.stringify({ format: FORMAT, nodes, wires, layout }, null, 2);
}

interface Piece {
  nodes: FlowNode[];
  wires: Wire[];
  layout: Record<string, Point>;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isNode = (value: unknown): value is FlowNode =>
  isRecord(value) &&
  typeof value.id === "string" &&
  typeof value.type === "string" &&
  typeof value.name === "string" &&
  isRecord(value.config);

const isWire = (value: unknown): value is Wire =>
  isRecord(value) &&
  typeof value.from === "string" &&
  value.from.includes(":") &&
  typeof value.to === "string";

const isPoint = (value: unknown): value is Point =>
  Array.isArray(value) && value.length === 2 && value.every((part) => Number.isFinite(part));

/** The piece of a flow in `text`, or null when it isn't one. */
function read(text: string): Piece | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null; // any text may be on the clipboard
  }
  if (!isRecord(value) || value.format !== FORMAT || !Array.isArray(value.nodes)) return null;
  const nodes = value.nodes.filter(isNode);
  const wires = Array.isArray(value.wires) ? value.wires.filter(isWire) : [];
  const places = isRecord(value.layout) ? Object.entries(value.layout) : [];
  const layout = Object.fromEntries(places.filter((entry): entry is [string, Point] =>
    isPoint(entry[1]),
  ));
  return nodes.length ? { nodes, wires, layout } : null;
}

/**
 * The document with the piece in `text` added under new ids, its top left corner at `at`; the
 * second value lists the ids. Null when the text isn't a piece of a flow.
 */
export function paste(
  doc: FlowDocument,
  text: string,
  at: Point,
): readonly [FlowDocument, string[]] | null {
  const piece = read(text);
  if (!piece) return null;
  const taken = new Set(doc.nodes.map((node) => node.id));
  const renamed = new Map<string, string>();
  for (const node of piece.nodes) {
    const id = freshId(taken, node.type);
    taken.add(id);
    renamed.set(node.id, id);
  }
  const place = (id: string): Point => piece.layout[id] ?? [0, 0];
  const left = Math.min(...piece.nodes.map((node) => place(node.id)[0]));
  const top = Math.min(...piece.nodes.map((node) => place(node.id)[1]));
  const layout = { ...doc.layout };
  for (const [old, id] of renamed) {
    layout[id] = [place(old)[0] - left + at[0], place(old)[1] - top + at[1]];
  }
  const wires = piece.wires.flatMap((wire) => {
    const [from, to] = [renamed.get(sourceOf(wire)), renamed.get(wire.to)];
    return from && to ? [{ from: `${from}:${portOf(wire)}`, to }] : [];
  });
  const nodes = piece.nodes.map((node) => ({ ...node, id: renamed.get(node.id) ?? node.id }));
  const next = { ...doc, nodes: [...doc.nodes, ...nodes], wires: [...doc.wires, ...wires], layout };
  return [next, [...renamed.values()]];
}
