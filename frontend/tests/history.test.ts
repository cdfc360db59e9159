import { describe, expect, it } from "vitest";

import { begin, redo, step, undo } from "../src/history";

describe("undo", () => {
  it("goes back step by step and forward again", () => {
    let history = step(step(begin("a"), "b", "", 0), "c", "", 0);
    history = undo(undo(history));
    expect(history.present).toBe("a");
    expect(redo(redo(history)).present).toBe("c");
  });

  it("does nothing at either end", () => {
    const history = begin("a");
    expect(undo(history)).toBe(history);
    expect(redo(history)).toBe(history);
  });

  it("forgets what was undone once something new is done", () => {
    const history = step(undo(step(begin("a"), "b", "", 0)), "c", "", 0);
    expect(redo(history)).toBe(history);
    expect(undo(history).present).toBe("a");
  });

  it("takes the typing in one field back at once", () => {
    let history = begin("");
    history = step(history, "1", "config big", 0);
    history = step(history, "10", "config big", 500);
    history = step(history, "100", "config big", 1000);
    expect(undo(history).present).toBe("");
  });

  it("keeps apart what is about something else, or comes later", () => {
    const typed = step(begin(""), "1", "config big", 0);
    expect(undo(step(typed, "2", "config vat", 100)).present).toBe("1");
    expect(undo(step(typed, "2", "config big", 5000)).present).toBe("1");
    expect(undo(step(typed, "2", "", 100)).present).toBe("1");
  });

  it("does not join a step to one that was undone", () => {
    const undone = undo(step(step(begin("a"), "b", "x", 0), "c", "y", 0));
    expect(undo(step(undone, "d", "x", 100)).present).toBe("b");
  });

  it("ignores a step that changes nothing", () => {
    const history = begin("a");
    expect(step(history, "a", "", 0)).toBe(history);
  });
});
