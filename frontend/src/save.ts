// When is a draft sent, and what if that fails? 600 ms after the last change, one request at a
// time; without an answer again and again, slower each time; never over somebody else's work.
import type { FlowDocument, Saved } from "./types";

export type SaveState =
  | { readonly kind: "saved" | "unsaved" | "saving" | "retrying" }
  | { readonly kind: "stale" }
  | { readonly kind: "refused"; readonly says: string };

export type Outcome =
  | { readonly kind: "saved"; readonly saved: Saved }
  | { readonly kind: "stale"; readonly match: string }
  | { readonly kind: "refused"; readonly says: string };

export interface SaverOptions {
  /** Sends the draft under `If-Match: match`. Rejects when there was no answer. */
  readonly send: (document: FlowDocument, match: string) => Promise<Outcome>;
  readonly onState: (state: SaveState) => void;
  readonly onSaved: (saved: Saved) => void;
}

const WAIT_MS = 600;
const RETRY_MS = [1000, 2000, 4000, 8000, 15_000];

const quoted = (revision: number): string => `"${revision}"`;

export class Saver {
  private pending: FlowDocument | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running: Promise<void> | null = null;
  private failures = 0;
  private theirs: string | null = null;
  private match: string;

  constructor(
    revision: number,
    private readonly options: SaverOptions,
  ) {
    this.match = quoted(revision);
  }

  /** Whether closing the page now would lose work. */
  get isDirty(): boolean {
    return this.pending !== null || this.running !== null;
  }

  /** Notes a new state of the draft; it is sent when the changes pause. */
  change(document: FlowDocument): void {
    this.pending = document;
    if (this.theirs !== null) return; // waits for the user's decision
    this.options.onState({ kind: "unsaved" });
    this.schedule(WAIT_MS);
  }

  /** Sends what is unsent now. True when everything is saved afterwards. */
  async flush(): Promise<boolean> {
    if (this.running) await this.running;
    if (this.pending && this.theirs === null) await this.run();
    return !this.isDirty;
  }

  /** Overwrites what somebody else saved in the meantime. */
  async keepMine(): Promise<boolean> {
    if (this.theirs !== null) this.match = this.theirs;
    this.theirs = null;
    return this.flush();
  }

  /** Gives up what is unsaved, so that leaving the page asks no question. */
  discard(): void {
    clearTimeout(this.timer);
    this.pending = null;
  }

  private schedule(after: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.flush(), after);
  }

  private run(): Promise<void> {
    clearTimeout(this.timer);
    this.running ??= this.sendOnce().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  private async sendOnce(): Promise<void> {
    const document = this.pending;
    if (!document) return;
    this.options.onState({ kind: "saving" });
    let outcome: Outcome;
    try {
      outcome = await this.options.send(document, this.match);
    } catch {
      this.schedule(RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)] ?? WAIT_MS);
      this.failures += 1;
      this.options.onState({ kind: "retrying" });
      return;
    }
    this.failures = 0;
    if (outcome.kind === "saved") this.accept(document, outcome.saved);
    else if (outcome.kind === "refused") this.options.onState(outcome);
    else {
      this.theirs = outcome.match;
      this.options.onState({ kind: "stale" });
    }
  }

  private accept(document: FlowDocument, saved: Saved): void {
    this.match = quoted(saved.revision);
    const isNewest = this.pending === document;
    if (isNewest) this.pending = null;
    this.options.onSaved(saved);
    this.options.onState({ kind: isNewest ? "saved" : "unsaved" });
    if (!isNewest) this.schedule(WAIT_MS);
  }
}
