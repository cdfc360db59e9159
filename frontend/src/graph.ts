// How may a flow's drawing be changed? Every act takes a document and returns a new one; an act
// that changes nothing returns the same document, so that no empty step lands in the history.
import type { CatalogEntry, Config, FlowDocument, FlowNode, Point, Wire } from "./types";

export const ERROR_PORT = "error";

export const wireId = (wire: Wire): string => `${wire.from}>${wire.to}`;
export const sourceOf = (wire: Wire): string => wire.from.slice(0, wire.from.indexOf(":"));
export const portOf = (wire: Wire): string => wire.from.slice(wire.from.indexOf(":") + 1);

interface Index {
  readonly nodes: ReadonlyMap<string, FlowNode>;
  readonly ports: ReadonlyMap<string, readonly string[]>;
}

const indexes = new WeakMap<FlowDocument, Index>();

/** Every card asks at every change; without an index that is a scan for each. */
function index(doc: FlowDocument): Index {
  let found = indexes.get(doc);
  if (!found) {
    const ports = new Map<string, string[]>();
    for (const wire of doc.wires) {
      const list = ports.get(sourceOf(wire));
      if (!list) ports.set(sourceOf(wire), [portOf(wire)]);
      else if (!list.includes(portOf(wire))) list.push(portOf(wire));
    }
    found = { nodes: new Map(doc.nodes.map((node) => [node.id, node])), ports };
    indexes.set(doc, found);
  }
  return found;
}

export const nodeById = (doc: FlowDocument, id: string): FlowNode | undefined =>
  index(doc).nodes.get(id);

/** The ports of a node that have wires. */
export const wiredPorts = (doc: FlowDocument, id: string): readonly string[] =>
  index(doc).ports.get(id) ?? [];

type Find = (type: string) => CatalogEntry | undefined;

/** An id that nobody has yet, made of the type's last word: "condition", "condition-2", … */
export function freshId(taken: Iterable<string>, type: string): string {
  const used = new Set(taken);
  const word = type.slice(type.lastIndexOf(".") + 1).replaceAll(/[^a-z0-9]+/g, "-") || "node";
  if (!used.has(word)) return word;
  let number = 2;
  while (used.has(`${word}-${number}`)) number += 1;
  return `${word}-${number}`;
}

/** The document with one more node; the second value is its id. */
export function addNode(
  doc: FlowDocument,
  entry: CatalogEntry,
  at: Point,
): readonly [FlowDocument, string] {
  const id = freshId(doc.nodes.map((node) => node.id), entry.type);
  const names = new Set(doc.nodes.map((node) => node.name));
  let name = entry.label;
  for (let number = 2; names.has(name); number += 1) name = `${entry.label} ${number}`;
  const node: FlowNode = { id, type: entry.type, name, config: structuredClone(entry.defaults) };
  const layout = { ...doc.layout, [id]: at };
  return [{ ...doc, nodes: [...doc.nodes, node], layout }, id];
}

/** Every node that events can reach from `start`, itself included, not going on past `stop`. */
export function downstream(
  doc: FlowDocument,
  start: string,
  stop: (id: string) => boolean = () => false,
): Set<string> {
  const seen = new Set([start]);
  const queue = stop(start) ? [] : [start];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    for (const wire of doc.wires) {
      if (sourceOf(wire) !== id || seen.has(wire.to)) continue;
      seen.add(wire.to);
      if (!stop(wire.to)) queue.push(wire.to);
    }
  }
  return seen;
}

/** Why the wire may not be drawn, in words for people, or null when it may. */
export function whyNot(doc: FlowDocument, wire: Wire, find: Find): string | null {
  const [source, target] = [nodeById(doc, sourceOf(wire)), nodeById(doc, wire.to)];
  if (!source || !target) return "One end of the wire doesn't exist.";
  if (source.id === target.id) return "A node can't feed itself.";
  if (find(target.type)?.has_input === false) {
    return `“${target.name}” is a producer: events start there.`;
  }
  if (doc.wires.some((other) => wireId(other) === wireId(wire))) {
    return "These two are connected already.";
  }
  const holds = (id: string) => find(nodeById(doc, id)?.type ?? "")?.holds === true;
  if (!holds(source.id) && downstream(doc, target.id, holds).has(source.id)) {
    return "That would send events round in a circle without end. Put a delay into it.";
  }
  return null;
}

export function connect(doc: FlowDocument, wire: Wire, find: Find): FlowDocument {
  return whyNot(doc, wire, find) ? doc : { ...doc, wires: [...doc.wires, wire] };
}

export function removeWires(doc: FlowDocument, ids: ReadonlySet<string>): FlowDocument {
  const wires = doc.wires.filter((wire) => !ids.has(wireId(wire)));
  return wires.length === doc.wires.length ? doc : { ...doc, wires };
}

/** Without these nodes and their wires. */
export function removeNodes(doc: FlowDocument, ids: ReadonlySet<string>): FlowDocument {
  if (!doc.nodes.some((node) => ids.has(node.id))) return doc;
  return {
    ...doc,
    nodes: doc.nodes.filter((node) => !ids.has(node.id)),
    wires: doc.wires.filter((wire) => !ids.has(sourceOf(wire)) && !ids.has(wire.to)),
    layout: Object.fromEntries(Object.entries(doc.layout).filter(([id]) => !ids.has(id))),
  };
}

/** Without these nodes; what fed them now feeds what they fed, failures excepted. */
export function removeAndHeal(
  doc: FlowDocument,
  ids: ReadonlySet<string>,
  find: Find,
): FlowDocument {
  let healed = doc;
  for (const id of ids) {
    const incoming = healed.wires.filter((wire) => wire.to === id);
    const outgoing = healed.wires.filter(
      (wire) => sourceOf(wire) === id && portOf(wire) !== ERROR_PORT,
    );
    healed = removeNodes(healed, new Set([id]));
    for (const before of incoming) {
      for (const after of outgoing) {
        healed = connect(healed, { from: before.from, to: after.to }, find);
      }
    }
  }
  return healed;
}

/** The first port by which a node of this type sends events on; null for a consumer. */
export function mainPort(ports: readonly string[]): string | null {
  return ports.find((port) => port !== ERROR_PORT) ?? null;
}

/** Puts the node `id` into the middle of a wire. Keeps the wire when either half isn't allowed. */
export function splice(
  doc: FlowDocument,
  wire: Wire,
  id: string,
  port: string | null,
  find: Find,
): FlowDocument {
  if (port === null) return doc;
  const open = removeWires(doc, new Set([wireId(wire)]));
  const half = connect(open, { from: wire.from, to: id }, find);
  const whole = connect(half, { from: `${id}:${port}`, to: wire.to }, find);
  return half === open || whole === half ? doc : whole;
}

export function moveNodes(
  doc: FlowDocument,
  places: Readonly<Record<string, Point>>,
): FlowDocument {
  const moved = Object.entries(places).filter(([id, [x, y]]) => {
    const old = doc.layout[id];
    return !old || old[0] !== x || old[1] !== y;
  });
  return moved.length ? { ...doc, layout: { ...doc.layout, ...Object.fromEntries(moved) } } : doc;
}

/** Takes over a node's name and configuration as its form now has them. */
export function setConfig(
  doc: FlowDocument,
  id: string,
  name: string,
  config: Config,
): FlowDocument {
  const node = nodeById(doc, id);
  if (!node) return doc;
  if (node.name === name && JSON.stringify(node.config) === JSON.stringify(config)) return doc;
  const nodes = doc.nodes.map((old) => (old.id === id ? { ...old, name, config } : old));
  return { ...doc, nodes };
}

export function renameFlow(doc: FlowDocument, name: string): FlowDocument {
  const trimmed = name.trim();
  return trimmed === "" || trimmed === doc.name ? doc : { ...doc, name: trimmed };
}
