// How does the live view stay connected? It reconnects, slower each time, and asks for what came
// after the newest change it has seen; so a break leaves no gap.
import type { Frame } from "./types";

export type Connection = "connecting" | "live" | "lost" | "refused";

export interface SocketOptions {
  readonly url: string;
  readonly onFrame: (frame: Frame) => void;
  readonly onConnection: (connection: Connection) => void;
  readonly open?: (url: string) => WebSocket;
}

const NO_ACCESS = 4403;
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15_000];

/** Connects until the returned function is called or the server says 4403. */
export function follow(options: SocketOptions): () => void {
  const { url, onFrame, onConnection, open = (to) => new WebSocket(to) } = options;
  let [newest, failures, isOver] = [0, 0, false];
  let socket: WebSocket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const connect = (): void => {
    onConnection(failures === 0 ? "connecting" : "lost");
    const current = open(`${url}${url.includes("?") ? "&" : "?"}since=${newest}`);
    socket = current;
    current.onmessage = (message: MessageEvent<string>) => {
      const frame = JSON.parse(message.data) as Frame;
      failures = 0;
      newest = Math.max(newest, frame.change);
      onConnection("live");
      onFrame(frame);
    };
    current.onclose = (event) => {
      if (isOver) return;
      if (event.code === NO_ACCESS) {
        onConnection("refused");
        return;
      }
      onConnection("lost");
      const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 0;
      failures += 1;
      timer = setTimeout(connect, wait * (0.75 + Math.random() / 2));
    };
  };

  connect();
  return () => {
    isOver = true;
    clearTimeout(timer);
    socket?.close();
  };
}

/** A path or http(s) address as the address of a socket. */
export function socketUrl(url: string, base: string): string {
  return new URL(url, base).href.replace(/^http/, "ws");
}
