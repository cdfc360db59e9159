// What does React Flow draw for a document? Its nodes and edges; an unchanged one stays the same
// object, so that moving one card renders one card.
import type { Edge, Node } from "@xyflow/react";

import { wireName } from "./app";
import { portOf, sourceOf, wireId } from "./graph";
import { nodeHeight, NODE_WIDTH } from "./layout";
import type { FlowDocument, Point } from "./types";

const NOTHING = {};

function reuse<T extends { id: string }>(
  previous: readonly T[],
  next: readonly T[],
  isSame: (a: T, b: T) => boolean,
): T[] {
  const known = new Map(previous.map((item) => [item.id, item]));
  return next.map((item) => {
    const old = known.get(item.id);
    return old && isSame(old, item) ? old : item;
  });
}

export function drawNodes(
  previous: readonly Node[],
  doc: FlowDocument,
  selected: ReadonlySet<string>,
  dragged: Readonly<Record<string, Point>>,
  ports: (id: string) => number,
  describe: (id: string) => string,
): Node[] {
  const next = doc.nodes.map(({ id, name }): Node => {
    const [x, y] = dragged[id] ?? doc.layout[id] ?? [0, 0];
    const size = { width: NODE_WIDTH, height: nodeHeight(ports(id)) };
    return {
      id,
      type: "card",
      position: { x, y },
      ...size,
      measured: size,
      data: NOTHING,
      selected: selected.has(id),
      ariaLabel: `${name}, ${describe(id)}`,
    };
  });
  return reuse(
    previous,
    next,
    (a, b) =>
      a.position.x === b.position.x &&
      a.position.y === b.position.y &&
      a.height === b.height &&
      a.selected === b.selected &&
      a.ariaLabel === b.ariaLabel,
  );
}

export function drawWires(
  previous: readonly Edge[],
  doc: FlowDocument,
  selected: ReadonlySet<string>,
): Edge[] {
  const exists = new Set(doc.nodes.map((node) => node.id));
  const next = doc.wires
    .filter((wire) => exists.has(sourceOf(wire)) && exists.has(wire.to))
    .map((wire): Edge => ({
      id: wireId(wire),
      type: "wire",
      source: sourceOf(wire),
      sourceHandle: portOf(wire),
      target: wire.to,
      targetHandle: "in",
      selected: selected.has(wireId(wire)),
      ariaLabel: wireName(doc, wire),
    }));
  return reuse(
    previous,
    next,
    (a, b) => a.selected === b.selected && a.ariaLabel === b.ariaLabel,
  );
}
