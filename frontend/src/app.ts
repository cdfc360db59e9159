// What do all components share? The editor, the live view, what is open, and where icons are.
import { createContext, useContext } from "react";

import type { Editor, EditorState } from "./editor";
import { nodeById } from "./graph";
import type { Live, LiveState } from "./live";
import type { Saver } from "./save";
import { Store, useStore } from "./store";
import type { FlowDocument, Point, Wire } from "./types";

export interface Choices {
  readonly title: string;
  readonly detail: string;
  readonly field: string;
  readonly choices: readonly { readonly value: string; readonly label: string }[];
  /** What was answered before: one publish may ask more than once. */
  readonly given: Readonly<Record<string, string>>;
}

export interface QuickAdd {
  /** On the screen, and on the canvas. */
  readonly left: number;
  readonly top: number;
  readonly at: Point;
  /** The port that was dragged here, to be connected with what is chosen. */
  readonly from: { readonly node: string; readonly port: string } | null;
}

export interface UiState {
  readonly palette: boolean;
  readonly inspector: boolean;
  readonly drawer: boolean;
  readonly drawerHeight: number;
  readonly problems: boolean;
  readonly help: boolean;
  readonly quickAdd: QuickAdd | null;
  readonly choices: Choices | null;
  readonly busy: "publish" | "try" | "state" | null;
  /** What comes before an icon's name in a reference to it. */
  readonly icons: string;
  /** The wire under a palette entry that is being dragged. */
  readonly over: string | null;
}

export interface App {
  readonly editor: Editor;
  readonly live: Live;
  readonly ui: Store<UiState>;
  readonly saver: Saver;
  readonly isPhone: boolean;
}

const DRAWER_KEY = "eventflow.drawer-height";
const OPEN_KEY = "eventflow.drawer";

/** The drawer is open where there is something to see, until the user says otherwise. */
function startsOpen(isPhone: boolean, isPublished: boolean): boolean {
  if (new URLSearchParams(location.search).has("trace")) return true;
  const kept = localStorage.getItem(OPEN_KEY);
  return kept === null ? isPublished && !isPhone : kept === "open";
}

export function showDrawer(ui: Store<UiState>, open: boolean): void {
  ui.set({ drawer: open });
  localStorage.setItem(OPEN_KEY, open ? "open" : "closed");
}

export function newUi(isPhone: boolean, icons: string, isPublished: boolean): Store<UiState> {
  return new Store<UiState>({
    palette: !isPhone,
    inspector: !isPhone,
    drawer: startsOpen(isPhone, isPublished),
    drawerHeight: Number(localStorage.getItem(DRAWER_KEY)) || 280,
    problems: false,
    help: false,
    quickAdd: null,
    choices: null,
    busy: null,
    icons,
    over: null,
  });
}

export function keepDrawerHeight(height: number): void {
  localStorage.setItem(DRAWER_KEY, String(height));
}

export const AppContext = createContext<App | null>(null);

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error("Components of the editor live inside AppContext.");
  return app;
}

export const useEditor = <P>(pick: (state: EditorState) => P): P =>
  useStore(useApp().editor.store, pick);
export const useLive = <P>(pick: (state: LiveState) => P): P => useStore(useApp().live.store, pick);
export const useUi = <P>(pick: (state: UiState) => P): P => useStore(useApp().ui, pick);
export const useDocument = (): FlowDocument => useEditor((state) => state.history.present);

export const nameOf = (doc: FlowDocument, id: string): string => nodeById(doc, id)?.name ?? id;

export function wireName(doc: FlowDocument, wire: Wire): string {
  const [source = "", port = ""] = wire.from.split(":", 2);
  return `Wire from ${nameOf(doc, source)}, port ${port}, to ${nameOf(doc, wire.to)}`;
}

export function toast(text: string, kind: "ok" | "failed" | "info", href?: string, link?: string) {
  const detail = { text, kind, href, link };
  document.dispatchEvent(new CustomEvent("eventflow:toast", { detail }));
}

/** Opens the page's help for htmx: the editor only ever asks for whole fragments. */
export interface Htmx {
  ajax(
    verb: "GET" | "POST",
    url: string,
    how: { target: string; swap: string; values?: Record<string, string> },
  ): Promise<void>;
}

export const htmx = (): Htmx | undefined => (window as { htmx?: Htmx }).htmx;
