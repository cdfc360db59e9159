// What can be done in the editor? Every act of the user, apart from how it is drawn or triggered.
import * as clip from "./clip";
import * as graph from "./graph";
import { begin, redo, step, undo, type History } from "./history";
import { freePlace, makeRoom, placeAfter, snapPoint, tidy } from "./layout";
import type { SaveState, Saver } from "./save";
import { Store } from "./store";
import type {
  CatalogEntry, Config, EditorData, FlowDocument, NodeView, Point, Problem, Published, Saved, Wire,
} from "./types";

export interface EditorState {
  readonly history: History<FlowDocument>;
  readonly views: Readonly<Record<string, NodeView>>;
  readonly problems: readonly Problem[];
  readonly published: Published | null;
  readonly paused: boolean;
  readonly save: SaveState;
  readonly nodes: ReadonlySet<string>;
  readonly wires: ReadonlySet<string>;
  /** The nodes that a selected trace went through, in order. */
  readonly trail: readonly string[];
  readonly trace: string | null;
  /** The last thing done, for screen readers. */
  readonly said: string;
}

const NONE: ReadonlySet<string> = new Set();

export class Editor {
  readonly store: Store<EditorState>;
  private readonly catalog: ReadonlyMap<string, CatalogEntry>;
  private saver: Saver | null = null;

  constructor(
    readonly data: EditorData,
    readonly canEdit: boolean = data.canEdit,
  ) {
    this.catalog = new Map(data.catalog.map((entry) => [entry.type, entry]));
    this.store = new Store<EditorState>({
      history: begin(data.document),
      views: data.nodes,
      problems: data.problems,
      published: data.published,
      paused: data.paused,
      save: { kind: "saved" },
      nodes: NONE,
      wires: NONE,
      trail: [],
      trace: null,
      said: "",
    });
  }

  readonly find = (type: string): CatalogEntry | undefined => this.catalog.get(type);

  get document(): FlowDocument {
    return this.store.get().history.present;
  }

  saveWith(saver: Saver): void {
    this.saver = saver;
  }

  /** The server's view of a node, or the catalogue's until it has been saved. */
  viewOf(id: string): NodeView {
    const type = graph.nodeById(this.document, id)?.type ?? "";
    return this.store.get().views[id] ?? this.viewOfType(type);
  }

  /** Its ports, and those that wires name although it hasn't got them (any more). */
  portsOf(id: string): readonly string[] {
    const { ports } = this.viewOf(id);
    const wired = graph.wiredPorts(this.document, id);
    const extra = wired.filter((port) => port !== graph.ERROR_PORT && !ports.includes(port));
    return extra.length > 0 ? [...ports, ...extra] : ports;
  }

  private viewOfType(type: string): NodeView {
    const entry = this.find(type);
    if (!entry) return { summary: type, ports: [], label: type, icon: "puzzle", role: "unknown" };
    const { summary, label, icon, role, outputs } = entry;
    return { summary, label, icon, role, ports: outputs.map((port) => port.name) };
  }

  // --- changes to the flow
  private apply(next: FlowDocument, said: string, about = ""): boolean {
    const { history } = this.store.get();
    if (!this.canEdit || next === history.present) return false;
    this.store.set({ history: step(history, next, about, Date.now()), said });
    this.saver?.change(next);
    return true;
  }

  /** Adds a node, connected from `after` when that has a port to give; returns its id. */
  add(entry: CatalogEntry, at: Point | null, after: string | null = null, port?: string): string {
    const wish = at ?? (after ? placeAfter(this.document, after) : [0, 0]);
    const [grown, id] = graph.addNode(this.document, entry, freePlace(this.document, wish));
    const from = after ? (port ?? graph.mainPort(this.portsOf(after))) : null;
    const wired = from ? graph.connect(grown, { from: `${after}:${from}`, to: id }, this.find) : grown;
    if (this.apply(wired, `Added ${entry.label}.`)) this.select([id]);
    return id;
  }

  /** Adds a node in the middle of a wire. */
  addInto(wire: Wire, entry: CatalogEntry, at: Point): void {
    const [grown, id] = graph.addNode(this.document, entry, snapPoint(at));
    const port = graph.mainPort(entry.outputs.map((output) => output.name));
    const spliced = graph.splice(grown, wire, id, port, this.find);
    const roomy = graph.moveNodes(spliced, makeRoom(this.document, wire, id, at));
    if (this.apply(roomy, `Added ${entry.label} into the wire.`)) this.select([id]);
  }

  /** Draws a wire; returns why not, or null when it is drawn. */
  connect(wire: Wire): string | null {
    const refusal = graph.whyNot(this.document, wire, this.find);
    if (refusal) this.store.set({ said: refusal });
    else this.apply(graph.connect(this.document, wire, this.find), "Connected.");
    return refusal;
  }

  move(places: Readonly<Record<string, Point>>, about = ""): void {
    this.apply(graph.moveNodes(this.document, places), "Moved.", about);
  }

  nudge(dx: number, dy: number): void {
    const places = [...this.store.get().nodes].map((id): readonly [string, Point] => {
      const [x, y] = this.document.layout[id] ?? [0, 0];
      return [id, [x + dx, y + dy]];
    });
    this.move(Object.fromEntries(places), `nudge ${places.map(([id]) => id).join()}`);
  }

  tidy(): void {
    const places = tidy(this.document, (id) => this.portsOf(id).length);
    this.apply(graph.moveNodes(this.document, places), "Tidied up.");
  }

  remove(heal: boolean): void {
    const { nodes, wires } = this.store.get();
    const open = graph.removeWires(this.document, wires);
    const next = heal
      ? graph.removeAndHeal(open, nodes, this.find)
      : graph.removeNodes(open, nodes);
    if (this.apply(next, heal ? "Deleted, and the gap closed." : "Deleted.")) this.select([]);
  }

  configure(id: string, name: string, config: Config): void {
    this.apply(graph.setConfig(this.document, id, name, config), "", `config ${id}`);
  }

  rename(name: string): void {
    this.apply(graph.renameFlow(this.document, name), "Renamed.");
  }

  copied(): string | null {
    const { nodes } = this.store.get();
    return nodes.size > 0 ? clip.cut(this.document, nodes) : null;
  }

  /** Adds what `text` describes, at a place or beside its original; false when it is no flow. */
  paste(text: string, at: Point): boolean {
    const result = clip.paste(this.document, text, snapPoint(at));
    if (!result || !this.apply(result[0], "Pasted.")) return false;
    this.select(result[1]);
    return true;
  }

  duplicate(): void {
    const text = this.copied();
    const places = [...this.store.get().nodes].map((id) => this.document.layout[id] ?? [0, 0]);
    const left = Math.min(...places.map(([x]) => x));
    const top = Math.min(...places.map(([, y]) => y));
    if (text) this.paste(text, [left + 40, top + 100]);
  }

  // --- time and selection
  undo(): void {
    this.travel(undo(this.store.get().history), "Undone.");
  }

  redo(): void {
    this.travel(redo(this.store.get().history), "Redone.");
  }

  private travel(history: History<FlowDocument>, said: string): void {
    if (!this.canEdit || history === this.store.get().history) return;
    const ids = new Set(history.present.nodes.map((node) => node.id));
    const nodes = new Set([...this.store.get().nodes].filter((id) => ids.has(id)));
    this.store.set({ history, said, nodes, wires: NONE });
    this.saver?.change(history.present);
  }

  select(nodes: Iterable<string>, wires: Iterable<string> = []): void {
    const now = this.store.get();
    const [nextNodes, nextWires] = [new Set(nodes), new Set(wires)];
    if (same(now.nodes, nextNodes) && same(now.wires, nextWires)) return;
    this.store.set({ nodes: nextNodes, wires: nextWires });
  }

  selectAll(): void {
    this.select(
      this.document.nodes.map((node) => node.id),
      this.document.wires.map(graph.wireId),
    );
  }

  // --- news from the server
  accept(saved: Saved): void {
    const { published } = this.store.get();
    this.store.set({
      views: saved.nodes,
      problems: saved.problems,
      published: published && { ...published, changes: saved.changes },
    });
  }
}

function same(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((item) => b.has(item));
}
