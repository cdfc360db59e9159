import { describe, expect, it } from "vitest";

import { freePlace, GRID, makeRoom, NODE_HEIGHT, NODE_WIDTH, nodeHeight, placeAfter, tidy } from "../src/layout";
import { flow, line } from "./make";

describe("placing nodes", () => {
  it("finds the next free place below, on the grid", () => {
    const [x, y] = freePlace(line, [3, -4]);
    expect(x).toBe(0);
    expect(y).toBeGreaterThanOrEqual(NODE_HEIGHT + GRID);
    expect(y % GRID).toBe(0);
  });

  it("puts what follows to the right of its source", () => {
    const [x] = placeAfter(flow(["in producer.http"]), "in");
    expect(x).toBeGreaterThan(NODE_WIDTH);
  });

  it("gives a card room for its ports", () => {
    expect(nodeHeight(1)).toBe(NODE_HEIGHT);
    expect(nodeHeight(8)).toBeGreaterThan(8 * 20);
  });
});

describe("making room in a wire", () => {
  const wire = { from: "in:out", to: "big" };

  it("moves what comes after to the right, and nothing else", () => {
    const places = makeRoom(line, wire, "new", [200, 3]);
    const x = places.new?.[0] ?? 0;
    expect(x).toBeGreaterThan(NODE_WIDTH);
    expect(places.big?.[0]).toBeGreaterThan(x + NODE_WIDTH);
    expect((places.vat?.[0] ?? 0) - (places.big?.[0] ?? 0)).toBe(320);
    expect(places).not.toHaveProperty("in");
  });

  it("moves nothing when there is room enough", () => {
    const wide = { ...line, layout: { ...line.layout, big: [2000, 0] as const } };
    expect(Object.keys(makeRoom(wide, wire, "new", [800, 0]))).toEqual(["new"]);
  });
});

describe("tidying up", () => {
  const messy = {
    ...flow(
      ["in producer.http", "a filter.transform", "b filter.transform", "call consumer.http"],
      ["in:out>a", "in:out>b", "a:out>call", "b:out>call"],
    ),
    layout: { in: [400, 100], a: [100, 300], b: [100, 310], call: [120, 300] } as const,
  };
  const places = tidy(messy, () => 1);

  it("lets every wire run to the right", () => {
    for (const [from, to] of [["in", "a"], ["in", "b"], ["a", "call"], ["b", "call"]] as const) {
      expect(places[to]?.[0]).toBeGreaterThan((places[from]?.[0] ?? 0) + NODE_WIDTH);
    }
  });

  it("covers no card and stays on the grid", () => {
    expect(Math.abs((places.a?.[1] ?? 0) - (places.b?.[1] ?? 0))).toBeGreaterThanOrEqual(NODE_HEIGHT);
    for (const place of Object.values(places)) {
      expect(place.every((part) => part % GRID === 0)).toBe(true);
    }
  });

  it("stays where the flow was", () => {
    expect(Math.min(...Object.values(places).map(([x]) => x))).toBe(100);
    expect(Math.min(...Object.values(places).map(([, y]) => y))).toBe(100);
  });

  it("gives the same again", () => {
    expect(tidy({ ...messy, layout: places }, () => 1)).toEqual(places);
  });

  it("copes with an empty flow and with circles", () => {
    expect(tidy(flow([]), () => 1)).toEqual({});
    const round = flow(["a filter.delay", "b filter.transform"], ["a:out>b", "b:out>a"]);
    expect(Object.keys(tidy(round, () => 1))).toEqual(["a", "b"]);
  });
});
