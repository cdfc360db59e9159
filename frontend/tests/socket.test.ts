import { afterEach, beforeEach, describe, expect, it, test, vi } from "vitest";

import { follow, socketUrl, type Connection } from "../src/socket";
import type { Frame } from "../src/types";

const frame = (change: number): Frame => ({
  kind: "update",
  change,
  totals: { nodes: {}, wires: {} },
  lag: 0,
  rows: [],
  skipped: 0,
});

/** The server's end of every socket that was opened. */
class Line {
  readonly urls: string[] = [];
  socket: Partial<WebSocket> = {};

  readonly open = (url: string): WebSocket => {
    this.urls.push(url);
    this.socket = { close: () => {} };
    return this.socket as WebSocket;
  };

  says(change: number): void {
    const message = { data: JSON.stringify(frame(change)) } as MessageEvent<string>;
    this.socket.onmessage?.call(this.socket as WebSocket, message);
  }

  breaks(code = 1006): void {
    this.socket.onclose?.call(this.socket as WebSocket, { code } as CloseEvent);
  }
}

let line: Line;
let connections: Connection[];
let frames: number[];
let hangUp: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  line = new Line();
  connections = [];
  frames = [];
  hangUp = follow({
    url: "ws://here/flow",
    open: line.open,
    onFrame: ({ change }) => frames.push(change),
    onConnection: (connection) => connections.push(connection),
  });
});
afterEach(() => {
  hangUp();
  vi.useRealTimers();
});

describe("following a flow", () => {
  it("begins at nothing and passes frames on", () => {
    line.says(812);
    expect(line.urls).toEqual(["ws://here/flow?since=0"]);
    expect(frames).toEqual([812]);
    expect(connections.at(-1)).toBe("live");
  });

  it("asks after a break for what came after the newest change", async () => {
    line.says(812);
    line.says(811);
    line.breaks();
    expect(connections.at(-1)).toBe("lost");
    await vi.advanceTimersByTimeAsync(1000);
    expect(line.urls.at(-1)).toBe("ws://here/flow?since=812");
  });

  it("waits longer each time, and stops waiting long once it works again", async () => {
    for (let round = 0; round < 5; round += 1) {
      line.breaks();
      await vi.advanceTimersByTimeAsync(20_000);
    }
    const before = line.urls.length;
    line.breaks();
    await vi.advanceTimersByTimeAsync(5000);
    expect(line.urls).toHaveLength(before);
    await vi.advanceTimersByTimeAsync(20_000);
    line.says(1);
    line.breaks();
    await vi.advanceTimersByTimeAsync(1000);
    expect(line.urls).toHaveLength(before + 2);
  });

  it("gives up when access was taken away", async () => {
    line.breaks(4403);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(connections.at(-1)).toBe("refused");
    expect(line.urls).toHaveLength(1);
  });

  it("stays silent after hanging up", async () => {
    hangUp();
    line.breaks();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(line.urls).toHaveLength(1);
  });
});

test.each([
  ["/ws/main/flows/a", "http://here:8000/w/main", "ws://here:8000/ws/main/flows/a"],
  ["/ws/main/flows/a", "https://here/w/main", "wss://here/ws/main/flows/a"],
  ["https://there/ws", "http://here/", "wss://there/ws"],
])("%s on %s is the socket %s", (url, base, socket) => {
  expect(socketUrl(url, base)).toBe(socket);
});
