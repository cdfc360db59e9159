import { describe, expect, it, test } from "vitest";

import { cut, paste } from "../src/clip";
import { flow, line, wiresOf } from "./make";

describe("copy and paste", () => {
  it("brings nodes under new ids, and the wires among them", () => {
    const text = cut(line, new Set(["big", "vat"]));
    const result = paste(line, text, [100, 500]);
    expect(result?.[1]).toEqual(["condition", "transform"]);
    expect(wiresOf(result?.[0] ?? line)).toContain("condition:match>transform");
    expect(result?.[0].layout).toMatchObject({ condition: [100, 500], transform: [420, 500] });
  });

  it("leaves out wires that lead out of the piece", () => {
    const result = paste(flow([]), cut(line, new Set(["big"])), [0, 0]);
    expect(result?.[0].wires).toEqual([]);
  });

  it("works from one flow to another", () => {
    const everything = cut(line, new Set(line.nodes.map((node) => node.id)));
    expect(paste(flow([]), everything, [0, 0])?.[0].nodes).toHaveLength(4);
  });

  test.each([
    ["hello", "plain text"],
    ["{}", "some other JSON"],
    ["[1, 2]", "a list"],
    ["null", "null"],
    ['{"format": "eventflow/1", "nodes": []}', "an empty flow"],
    ['{"format": "eventflow/1", "nodes": [{"id": 3}]}', "nodes that are none"],
    ['{"format": "eventflow/2", "nodes": [{"id":"a","type":"b","name":"c","config":{}}]}', "a later format"],
  ])("ignores %s (%s)", (text) => {
    expect(paste(line, text, [0, 0])).toBeNull();
  });

  it("drops wires and places that make no sense instead of trusting them", () => {
    const text = JSON.stringify({
      format: "eventflow/1",
      nodes: [{ id: "a", type: "filter.transform", name: "A", config: {} }],
      wires: [{ from: "a", to: "a" }, { from: "x:out", to: "a" }, null],
      layout: { a: ["left", 0] },
    });
    const result = paste(flow([]), text, [40, 40]);
    expect(result?.[0].wires).toEqual([]);
    expect(result?.[0].layout).toEqual({ transform: [40, 40] });
  });
});
