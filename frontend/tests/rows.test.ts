import { describe, expect, it, test } from "vitest";

import { countNew, merge, renew, ROWS_KEPT, sift } from "../src/rows";
import type { Row, RowState } from "../src/types";
import { row } from "./make";

const ids = (rows: readonly Row[]) => rows.map((one) => one.id).join("");

describe("merging rows", () => {
  it("shows the newest first, in whatever order they come", () => {
    expect(ids(merge([], [row("2", 2), row("1", 1), row("3", 3)]))).toBe("321");
    expect(ids(merge([row("3", 3), row("1", 1)], [row("2", 2)]))).toBe("321");
  });

  it("shows a row once, however often it comes", () => {
    const rows = merge(merge([], [row("1", 1)]), [row("1", 1), row("1", 1)]);
    expect(ids(rows)).toBe("1");
  });

  it("changes a row in its place", () => {
    const rows = merge([row("3", 3), row("2", 2), row("1", 1)], [row("1", 9, { state: "failed" })]);
    expect(ids(rows)).toBe("321");
    expect(rows[2]?.state).toBe("failed");
  });

  it("is not taken back by a frame that comes late", () => {
    const rows = merge([row("1", 9, { state: "ok" })], [row("1", 4, { state: "running" })]);
    expect(rows[0]?.state).toBe("ok");
  });

  it("takes the newest of two states in one frame", () => {
    const frame = [row("1", 5, { state: "ok" }), row("1", 4, { state: "running" })];
    expect(merge([], frame)[0]?.state).toBe("ok");
  });

  it("puts a late commit where it belongs", () => {
    expect(ids(merge([row("3", 3), row("1", 1)], [row("2", 7)]))).toBe("321");
  });

  it("gives the same whether frames overlap or not", () => {
    const all = ["1", "2", "3", "4", "5"].map((id) => row(id, Number(id)));
    const once = merge([], all);
    const overlapping = merge(merge(merge([], all.slice(0, 3)), all.slice(1, 4)), all.slice(2));
    expect(overlapping).toEqual(once);
  });

  it("keeps a bounded number and drops the oldest", () => {
    const many = Array.from({ length: ROWS_KEPT + 50 }, (_, index) =>
      row("x", index, { id: `r${index}`, at: new Date(index * 1000).toISOString() }),
    );
    const rows = merge([], many);
    expect(rows).toHaveLength(ROWS_KEPT);
    expect(rows[0]?.id).toBe(`r${ROWS_KEPT + 49}`);
    expect(merge(rows, [many[0] as Row])).toEqual(rows);
  });
});

it("a held list counts what is new", () => {
  const seen = [row("2", 2), row("1", 1)];
  expect(countNew(merge(seen, [row("3", 3), row("1", 8)]), seen)).toBe(1);
});

it("a held list keeps its order and its rows, in their newest state", () => {
  const held = [row("2", 2, { state: "running" }), row("1", 1)];
  const renewed = renew(held, [row("3", 4), row("2", 5, { state: "ok" })]);
  expect(ids(renewed)).toBe("21");
  expect(renewed[0]?.state).toBe("ok");
});

describe("sifting rows", () => {
  const rows = [
    row("3", 3, { state: "failed", error: "503 from billing", path: ["in", "call"] }),
    row("2", 2, { state: "filtered", key: "c-22" }),
    row("1", 1, { type: "OrderPaid" }),
  ];
  test.each<[RowState[], string, string]>([
    [[], "", "321"],
    [["failed"], "", "3"],
    [["failed", "filtered"], "", "32"],
    [[], "orderpaid", "1"],
    [[], "C-22", "2"],
    [[], "billing in", "3"],
    [[], "call", "3"],
    [["ok"], "billing", ""],
  ])("states %j and text “%s” leave %s", (states, text, left) => {
    expect(ids(sift(rows, new Set(states), text))).toBe(left);
  });
});
