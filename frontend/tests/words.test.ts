import { describe, expect, test } from "vitest";

import { search } from "../src/catalog";
import { duration, plural, rate, short } from "../src/format";
import { commandFor } from "../src/keys";
import { CATALOG } from "./make";

test.each([
  [0, "0"],
  [999, "999"],
  [1200, "1.2k"],
  [9999, "10k"],
  [38_400, "38k"],
  [999_600, "1.0M"],
  [2_400_000, "2.4M"],
])("%d is short for %s", (value, text) => {
  expect(short(value)).toBe(text);
});

test.each([
  [0, ""],
  [0.01, ""],
  [0.4, "0.4/s"],
  [12.3, "12/s"],
  [1234, "1.2k/s"],
])("a rate of %d reads “%s”", (value, text) => {
  expect(rate(value)).toBe(text);
});

test.each([
  [null, ""],
  [0.42, "0.4 ms"],
  [42.4, "42 ms"],
  [999.7, "1.0 s"],
  [3100, "3.1 s"],
  [120_000, "2 min"],
])("%s ms read “%s”", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test("one is singular, others and none are plural", () => {
  expect([0, 1, 2000].map((count) => plural(count, "event"))).toEqual(["0 events", "1 event", "2,000 events"]);
});

describe("keys", () => {
  const stroke = (key: string, held = "", code = "") => ({
    key,
    code,
    ctrlKey: held.includes("c"),
    metaKey: held.includes("m"),
    shiftKey: held.includes("s"),
    altKey: held.includes("a"),
  });
  test.each([
    ["z", "c", "", "undo"],
    ["z", "m", "", "undo"],
    ["Z", "cs", "", "redo"],
    ["y", "c", "", "redo"],
    ["Delete", "", "", "delete"],
    ["Delete", "c", "", "delete-heal"],
    ["!", "s", "Digit1", "fit"],
    ["+", "s", "Digit1", "fit"],
    ["1", "", "Digit1", "fit"],
    ["ˇ", "sa", "KeyT", "tidy"],
    ["P", "s", "KeyP", "publish"],
    ["?", "s", "Slash", "help"],
    ["n", "", "KeyN", "add"],
    ["n", "c", "KeyN", null],
    ["x", "", "KeyX", null],
  ])("%s with “%s” (%s) means %s", (key, held, code, command) => {
    expect(commandFor(stroke(key, held, code))).toBe(command);
  });
});

test.each([
  ["", ["HTTP", "Condition", "Transform", "Delay", "HTTP request"]],
  ["http", ["HTTP", "HTTP request"]],
  ["request", ["HTTP request"]],
  ["filter", ["Condition", "Transform", "Delay"]],
  ["nothing of the kind", []],
])("searching the catalogue for “%s” finds %j", (text, labels) => {
  expect(search(CATALOG, text).map((entry) => entry.label)).toEqual(labels);
});
