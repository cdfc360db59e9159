import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Saver, type Outcome, type SaveState } from "../src/save";
import type { FlowDocument } from "../src/types";
import { flow } from "./make";

const draft = (name: string): FlowDocument => ({ ...flow([]), name });
const saved = (revision: number): Outcome => ({
  kind: "saved",
  saved: { revision, problems: [], nodes: {}, changes: 1 },
});

/** A server that keeps one draft under a revision, and may be out of reach. */
class Server {
  name = "as it was";
  revision = 12;
  isAway = false;
  requests = 0;
  refuses = "";

  readonly send = async (document: FlowDocument, match: string): Promise<Outcome> => {
    this.requests += 1;
    await Promise.resolve();
    if (this.isAway) throw new TypeError("no line");
    if (this.refuses) return { kind: "refused", says: this.refuses };
    if (match !== `"${this.revision}"`) return { kind: "stale", match: `"${this.revision}"` };
    this.name = document.name;
    this.revision += 1;
    return saved(this.revision);
  };
}

let server: Server;
let states: SaveState["kind"][];
let saver: Saver;

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  states = [];
  saver = new Saver(12, {
    send: server.send,
    onState: (state) => states.push(state.kind),
    onSaved: () => {},
  });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("saving", () => {
  it("waits until the changes pause, and sends the last one", async () => {
    saver.change(draft("one"));
    await vi.advanceTimersByTimeAsync(400);
    saver.change(draft("two"));
    await vi.advanceTimersByTimeAsync(400);
    expect(server.requests).toBe(0);
    await vi.advanceTimersByTimeAsync(300);
    expect(server.name).toBe("two");
    expect(server.requests).toBe(1);
    expect(states.at(-1)).toBe("saved");
    expect(saver.isDirty).toBe(false);
  });

  it("saves again under the new revision", async () => {
    saver.change(draft("one"));
    await saver.flush();
    saver.change(draft("two"));
    await saver.flush();
    expect([server.name, server.revision]).toEqual(["two", 14]);
  });

  it("doesn't forget a change made while a save was under way", async () => {
    saver.change(draft("one"));
    const first = saver.flush();
    saver.change(draft("two"));
    await first;
    expect(saver.isDirty).toBe(true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.name).toBe("two");
    expect(saver.isDirty).toBe(false);
  });

  it("tries again by itself while the line is down, slower each time", async () => {
    server.isAway = true;
    saver.change(draft("one"));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(states).toContain("retrying");
    expect(server.requests).toBeLessThan(6);
    expect(saver.isDirty).toBe(true);
    server.isAway = false;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(server.name).toBe("one");
    expect(states.at(-1)).toBe("saved");
  });

  it("never overwrites somebody else's work unasked", async () => {
    server.revision = 20;
    server.name = "theirs";
    saver.change(draft("mine"));
    await vi.advanceTimersByTimeAsync(1000);
    saver.change(draft("mine, more"));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.name).toBe("theirs");
    expect(states.at(-1)).toBe("stale");
    expect(await saver.flush()).toBe(false);
  });

  it("overwrites it when told to keep mine", async () => {
    server.revision = 20;
    saver.change(draft("mine"));
    await saver.flush();
    saver.change(draft("mine, more"));
    expect(await saver.keepMine()).toBe(true);
    expect(server.name).toBe("mine, more");
  });

  it("says why a draft was refused and waits for the next change", async () => {
    server.refuses = "The flow is too large.";
    saver.change(draft("one"));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states.at(-1)).toBe("refused");
    expect(server.requests).toBe(1);
    server.refuses = "";
    saver.change(draft("smaller"));
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.name).toBe("smaller");
  });

  it("lets go of what is discarded", async () => {
    saver.change(draft("one"));
    saver.discard();
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.requests).toBe(0);
    expect(saver.isDirty).toBe(false);
  });
});
