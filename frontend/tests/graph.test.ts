import { describe, expect, it, test } from "vitest";

import {
  addNode, connect, freshId, moveNodes, removeAndHeal, removeNodes, removeWires, renameFlow,
  setConfig, splice, whyNot,
} from "../src/graph";
import { catalogued, find, flow, line, wiresOf } from "./make";

const wire = (text: string) => {
  const [from = "", to = ""] = text.split(">");
  return { from, to };
};

describe("which wires may be drawn", () => {
  const doc = flow(
    ["in producer.http", "a filter.transform", "b filter.transform", "wait filter.delay",
      "call consumer.http", "odd filter.unknown"],
    ["in:out>a", "a:out>b", "b:out>wait"],
  );
  test.each([
    ["b:out>call", true, "a new connection"],
    ["in:out>b", true, "a port may have many wires"],
    ["a:out>odd", true, "a type that is not installed may have an input"],
    ["call:error>a", true, "failures may go on"],
    ["wait:out>a", true, "a circle that a delay is part of"],
    ["a:out>b", false, "the same wire again"],
    ["a:out>a", false, "a node that feeds itself"],
    ["b:out>a", false, "a circle without end"],
    ["a:out>in", false, "into a producer"],
    ["a:out>nobody", false, "to a node that isn't there"],
    ["nobody:out>a", false, "from a node that isn't there"],
  ])("%s: %s (%s)", (text, isAllowed) => {
    expect(whyNot(doc, wire(text), find) === null).toBe(isAllowed);
    expect(connect(doc, wire(text), find) === doc).toBe(!isAllowed);
  });
});

describe("adding a node", () => {
  it("gives it an id and a name that nobody has", () => {
    const [once, first] = addNode(line, catalogued("filter.condition"), [0, 100]);
    const [twice, second] = addNode(once, catalogued("filter.condition"), [0, 200]);
    expect([first, second]).toEqual(["condition", "condition-2"]);
    expect(twice.nodes.slice(-2).map((node) => node.name)).toEqual(["Condition", "Condition 2"]);
    expect(twice.layout["condition-2"]).toEqual([0, 200]);
  });

  it("starts from the type's defaults without sharing them", () => {
    const entry = catalogued("filter.condition");
    const [doc, id] = addNode(line, entry, [0, 0]);
    const config = doc.nodes.find((node) => node.id === id)?.config;
    expect(config).toEqual(entry.defaults);
    expect(config).not.toBe(entry.defaults);
  });

  it("makes ids that a wire can name", () => {
    expect(freshId([], "filter.fraud_score")).toBe("fraud-score");
    expect(freshId(["http"], "consumer.http")).toBe("http-2");
  });
});

describe("deleting", () => {
  it("takes a node's wires and place with it", () => {
    const doc = removeNodes(line, new Set(["big"]));
    expect(wiresOf(doc)).toEqual(["vat:out>call"]);
    expect(doc.layout).not.toHaveProperty("big");
  });

  it("closes the gap when asked to", () => {
    expect(wiresOf(removeAndHeal(line, new Set(["big"]), find))).toEqual(["in:out>vat", "vat:out>call"]);
  });

  it("closes the gap that several neighbours leave", () => {
    expect(wiresOf(removeAndHeal(line, new Set(["big", "vat"]), find))).toEqual(["in:out>call"]);
  });

  it("does not lead good events where only failures went", () => {
    const doc = flow(
      ["in producer.http", "call consumer.http", "note filter.transform"],
      ["in:out>call", "call:error>note"],
    );
    expect(wiresOf(removeAndHeal(doc, new Set(["call"]), find))).toEqual([]);
  });

  it("changes nothing when nothing is chosen", () => {
    expect(removeNodes(line, new Set())).toBe(line);
    expect(removeWires(line, new Set(["no:such>wire"]))).toBe(line);
  });
});

describe("putting a node into a wire", () => {
  const [doc, id] = addNode(line, catalogued("filter.delay"), [0, 0]);

  it("leads the wire through it", () => {
    const spliced = splice(doc, wire("in:out>big"), id, "out", find);
    expect(wiresOf(spliced)).toEqual(["big:match>vat", "delay:out>big", "in:out>delay", "vat:out>call"]);
  });

  it("keeps the wire when the node can't be passed through", () => {
    expect(splice(doc, wire("in:out>big"), "call", null, find)).toBe(doc);
    expect(splice(doc, wire("in:out>big"), "in", "out", find)).toBe(doc);
  });
});

describe("small changes", () => {
  it("a move to the same place is no change", () => {
    expect(moveNodes(line, { in: [0, 0] })).toBe(line);
    expect(moveNodes(line, { in: [20, 0] }).layout.in).toEqual([20, 0]);
  });

  it("the same configuration is no change", () => {
    expect(setConfig(line, "big", "big", {})).toBe(line);
    expect(setConfig(line, "nobody", "x", {})).toBe(line);
    expect(setConfig(line, "big", "Over 100?", { condition: "x" }).nodes[1]).toMatchObject({
      name: "Over 100?",
      config: { condition: "x" },
    });
  });

  it("an empty name is refused, spaces around it are dropped", () => {
    expect(renameFlow(line, "  ")).toBe(line);
    expect(renameFlow(line, " Big orders ").name).toBe("Big orders");
  });

  it("keys of the file that the editor doesn't know stay", () => {
    const doc = { ...line, settings: { ordering: "key" } };
    expect(removeNodes(doc, new Set(["in"])).settings).toEqual({ ordering: "key" });
  });
});
