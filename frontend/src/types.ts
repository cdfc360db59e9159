// Which values travel between the server and the editor? DESIGN section 11 fixes the flow file.
export type Role = "producer" | "filter" | "consumer";
export type Config = Record<string, unknown>;

export interface FlowNode {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly config: Config;
}

/** `from` is "node:port", `to` is a node. */
export interface Wire {
  readonly from: string;
  readonly to: string;
}

export type Point = readonly [number, number];

/** A flow file. Keys that the editor doesn't know are kept as they are. */
export interface FlowDocument {
  readonly name: string;
  readonly nodes: readonly FlowNode[];
  readonly wires: readonly Wire[];
  readonly layout: Readonly<Record<string, Point>>;
  readonly [key: string]: unknown;
}

export interface CatalogEntry {
  readonly type: string;
  readonly role: Role;
  readonly label: string;
  readonly icon: string;
  readonly summary: string;
  readonly help?: string;
  readonly has_input: boolean;
  readonly outputs: readonly { readonly name: string; readonly help: string }[];
  readonly can_fail: boolean;
  /** A cycle may pass through it, because it keeps events for a while. */
  readonly holds?: boolean;
  readonly defaults: Config;
}

export interface Problem {
  readonly node: string;
  readonly field: string;
  readonly says: string;
  readonly level: "error" | "warning";
}

/** What the server derives from a node's configuration. */
export interface NodeView {
  readonly summary: string;
  readonly ports: readonly string[];
  readonly label: string;
  readonly icon: string;
  readonly role: Role | "unknown";
}

export interface Published {
  readonly number: number;
  readonly changes: number;
}

export interface Urls {
  readonly draft: string;
  readonly publish: string;
  readonly inspector: string;
  readonly socket: string;
  readonly traces: string;
  readonly trace: string;
  readonly try: string;
  readonly state: string;
  readonly versions: string;
  readonly export: string;
  readonly import: string;
  readonly delete?: string;
}

export interface EditorData {
  readonly workspace: string;
  readonly slug: string;
  readonly name: string;
  readonly canEdit: boolean;
  readonly canOperate: boolean;
  readonly paused: boolean;
  readonly catalog: readonly CatalogEntry[];
  readonly document: FlowDocument;
  readonly revision: number;
  readonly problems: readonly Problem[];
  readonly nodes: Readonly<Record<string, NodeView>>;
  readonly published: Published | null;
  readonly urls: Urls;
}

/** The answer to a saved draft. */
export interface Saved {
  readonly revision: number;
  readonly problems: readonly Problem[];
  readonly nodes: Readonly<Record<string, NodeView>>;
  readonly changes: number;
}

/** What became of the events that arrived at a node. A count that never moved may be missing. */
export interface NodeTotals {
  readonly arrived?: number;
  readonly passed?: number;
  readonly filtered?: number;
  readonly delivered?: number;
  readonly dead?: number;
  /** Parked at the node for whatever reason: a delay, a retry, a reply that is on its way. */
  readonly held?: number;
}

export interface Totals {
  readonly nodes: Readonly<Record<string, NodeTotals>>;
  /** Keyed by "node:port": what left by that port. */
  readonly wires: Readonly<Record<string, number>>;
}

export type RowState = "queued" | "running" | "ok" | "filtered" | "failed";

export interface Row {
  readonly id: string;
  readonly change: number;
  readonly state: RowState;
  readonly type: string;
  readonly key: string | null;
  readonly event_id: string;
  readonly at: string;
  readonly ms: number | null;
  readonly path: readonly string[];
  readonly error: string | null;
}

export interface Frame {
  readonly kind: "snapshot" | "update";
  readonly change: number;
  readonly totals: Totals;
  readonly lag: number;
  readonly rows: readonly Row[];
  readonly skipped: number;
}
