// Where do nodes go? Snapping, a free place for a new node, and the tidy layout.
import { Graph, layout as arrange } from "@dagrejs/dagre";

import { downstream, sourceOf } from "./graph";
import type { FlowDocument, Point, Wire } from "./types";

export const GRID = 20;
export const NODE_WIDTH = 220;
export const NODE_HEIGHT = 64;
const PORT_HEIGHT = 22;
const GAP = 100;
const NARROW_GAP = 60;

export const snap = (value: number): number => Math.round(value / GRID) * GRID;
export const snapPoint = ([x, y]: Point): Point => [snap(x), snap(y)];

/** A card grows with its ports, so that their labels never touch. */
export const nodeHeight = (ports: number): number => Math.max(NODE_HEIGHT, ports * PORT_HEIGHT + 20);

function overlaps(a: Point, b: Point): boolean {
  return Math.abs(a[0] - b[0]) < NODE_WIDTH + GRID && Math.abs(a[1] - b[1]) < NODE_HEIGHT + GRID;
}

/** The nearest place at or below `wish` where a card covers no other. */
export function freePlace(doc: FlowDocument, wish: Point): Point {
  let [x, y] = snapPoint(wish);
  const places = Object.values(doc.layout);
  while (places.some((place) => overlaps(place, [x, y]))) y += GRID;
  return [x, y];
}

/** The place for what comes after node `id`: one column to the right. */
export function placeAfter(doc: FlowDocument, id: string): Point {
  const [x, y] = doc.layout[id] ?? [0, 0];
  return freePlace(doc, [x + NODE_WIDTH + GAP, y]);
}

/**
 * Places for a card put into `wire` near `wish`: right of the wire's source, and all that comes
 * after the wire moved as far to the right as it takes to make room. `id` is the new card's.
 */
export function makeRoom(
  doc: FlowDocument,
  wire: Wire,
  id: string,
  wish: Point,
): Record<string, Point> {
  const source = doc.layout[sourceOf(wire)] ?? wish;
  const target = doc.layout[wire.to] ?? wish;
  const column = NODE_WIDTH + NARROW_GAP;
  const [x, y] = snapPoint([Math.max(wish[0], source[0] + column), wish[1]]);
  const shift = x + column - target[0];
  const places: Record<string, Point> = {};
  if (shift > 0 && target[0] > source[0]) {
    for (const after of downstream(doc, wire.to)) {
      const place = doc.layout[after];
      if (place && place[0] >= target[0]) places[after] = [place[0] + shift, place[1]];
    }
  }
  return { ...places, [id]: [x, y] };
}

/** A place for every node, left to right, on the grid, the top left one where it was. */
export function tidy(
  doc: FlowDocument,
  portsOf: (id: string) => number,
): Record<string, Point> {
  if (doc.nodes.length === 0) return {};
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 40, edgesep: 60, ranksep: GAP, ranker: "network-simplex" });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id } of doc.nodes) {
    graph.setNode(id, { width: NODE_WIDTH, height: nodeHeight(portsOf(id)) });
  }
  for (const wire of doc.wires) graph.setEdge(sourceOf(wire), wire.to);
  arrange(graph);
  const corner = (points: Point[]): Point => [
    Math.min(...points.map(([x]) => x)),
    Math.min(...points.map(([, y]) => y)),
  ];
  const placed = doc.nodes.map(({ id }): readonly [string, Point] => {
    const { x, y, width, height } = graph.node(id);
    return [id, [x - width / 2, y - height / 2]];
  });
  const from = corner(placed.map(([, point]) => point));
  const to = doc.nodes.some(({ id }) => doc.layout[id])
    ? corner(doc.nodes.flatMap(({ id }) => (doc.layout[id] ? [doc.layout[id]] : [])))
    : ([0, 0] as const);
  return Object.fromEntries(
    placed.map(([id, [x, y]]) => [id, snapPoint([x - from[0] + to[0], y - from[1] + to[1]])]),
  );
}
