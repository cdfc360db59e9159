import { describe, expect, it } from "vitest";

import { Editor } from "../src/editor";
import type { EditorData, FlowDocument, NodeView } from "../src/types";
import { CATALOG, catalogued, line, wiresOf } from "./make";

const URLS = { draft: "", publish: "", inspector: "", socket: "", traces: "", trace: "", try: "",
  state: "", versions: "", export: "", import: "" };

function open(document: FlowDocument, more: Partial<EditorData> = {}): Editor {
  return new Editor({
    workspace: "main", slug: "orders", name: "Orders", canEdit: true, canOperate: true,
    paused: false, catalog: CATALOG, document, revision: 1, problems: [], nodes: {},
    published: null, urls: URLS, ...more,
  });
}

describe("the editor", () => {
  it("connects a new node with the one it is added after, and selects it", () => {
    const editor = open(line);
    const id = editor.add(catalogued("filter.transform"), null, "big");
    expect(wiresOf(editor.document)).toContain(`big:match>${id}`);
    expect([...editor.store.get().nodes]).toEqual([id]);
  });

  it("undoes an addition with its wire in one step", () => {
    const editor = open(line);
    editor.add(catalogued("filter.transform"), null, "vat");
    editor.undo();
    expect(editor.document).toBe(line);
    expect(editor.store.get().nodes.size).toBe(0);
  });

  it("says why a wire can't be drawn and changes nothing", () => {
    const editor = open(line);
    expect(editor.connect({ from: "vat:out", to: "in" })).toContain("producer");
    expect(editor.document).toBe(line);
  });

  it("changes nothing for somebody who may only look", () => {
    const editor = open(line, { canEdit: false });
    editor.add(catalogued("filter.transform"), [0, 0]);
    editor.select(["vat"]);
    editor.remove(false);
    editor.rename("Mine");
    expect(editor.document).toBe(line);
  });

  it("takes nudges of one selection back at once", () => {
    const editor = open(line);
    editor.select(["in", "big"]);
    editor.nudge(20, 0);
    editor.nudge(20, 0);
    expect(editor.document.layout.big).toEqual([360, 0]);
    editor.undo();
    expect(editor.document).toBe(line);
  });

  it("duplicates beside the original", () => {
    const editor = open(line);
    editor.select(["vat"]);
    editor.duplicate();
    expect(editor.document.nodes).toHaveLength(5);
    expect([...editor.store.get().nodes]).toEqual(["transform"]);
  });

  it("still shows a port that only a wire knows of", () => {
    const view: NodeView = { summary: "", ports: ["out"], label: "Switch", icon: "", role: "filter" };
    expect(open(line, { nodes: { big: view } }).portsOf("big")).toEqual(["out", "match"]);
  });

  it("keeps a node whose type is unknown, and shows it as such", () => {
    const nodes = [...line.nodes, { id: "odd", type: "filter.odd", name: "Odd", config: { a: 1 } }];
    const editor = open({ ...line, nodes });
    expect(editor.viewOf("odd").role).toBe("unknown");
    editor.select(["in"]);
    editor.remove(false);
    expect(editor.document.nodes.at(-1)).toBe(nodes.at(-1));
  });
});
