// What happens on a key stroke? keys.ts says which command it is; here it is carried out.
import type { ReactFlowInstance } from "@xyflow/react";
import { useReactFlow } from "@xyflow/react";
import { useEffect } from "react";

import { showDrawer, useApp, type App } from "./app";
import { wireId } from "./graph";
import { commandFor, type Command } from "./keys";
import { GRID, NODE_HEIGHT, NODE_WIDTH } from "./layout";
import { publish, tryIt } from "./server";
import type { Point } from "./types";

const CALM_MS = 140;
const FAR = 5;
const PATIENCE_FRAMES = 60;
const STEPS: Partial<Record<Command, Point>> = {
  left: [-GRID, 0],
  right: [GRID, 0],
  up: [0, -GRID],
  down: [0, GRID],
};

const isWriting = (target: EventTarget | null): boolean =>
  target instanceof Element &&
  target.closest("input, textarea, select, [contenteditable], dialog") !== null;

/** Panels with a use of their own for arrows and Delete; elsewhere those keys mean the canvas. */
const isElsewhere = (target: EventTarget | null): boolean =>
  target instanceof Element &&
  target.closest(".traces, .inspector, .topbar, .rail, .quick-add, .menu") !== null;

/** Commands about the selection. */
const CANVAS_ONLY = new Set<Command>([
  "left", "right", "up", "down", "open", "delete", "delete-heal", "select-all", "duplicate",
]);
/** Commands that work from inside a text field too. */
const EVERYWHERE = new Set<Command>(["save", "try"]);

export function motion(): { duration: number } {
  return { duration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : CALM_MS };
}

/** The middle of what the canvas shows, as the corner of a card that would be centred there. */
export function centre(flow: ReactFlowInstance): Point {
  const box = document.querySelector(".canvas")?.getBoundingClientRect();
  if (!box) return [0, 0];
  const { x, y } = flow.screenToFlowPosition({
    x: box.left + box.width / 2,
    y: box.top + box.height / 2,
  });
  return [x - NODE_WIDTH / 2, y - NODE_HEIGHT / 2];
}

/** Puts the keyboard into an element once it is there: a form may still be on its way. */
export function focusSoon(selector: string, frames = PATIENCE_FRAMES): void {
  requestAnimationFrame(() => {
    const element = document.querySelector<HTMLElement>(selector);
    if (element) element.focus();
    else if (frames > 0) focusSoon(selector, frames - 1);
  });
}

/** Selects the node or wire that has the keyboard, as a click would. */
function selectFocused(app: App): boolean {
  const item = document.activeElement?.closest(".react-flow__node, .react-flow__edge");
  const id = item?.getAttribute("data-id");
  if (!id) return false;
  if (item?.classList.contains("react-flow__edge")) app.editor.select([], [id]);
  else app.editor.select([id]);
  return true;
}

function run(command: Command, app: App, flow: ReactFlowInstance, isFar: boolean): boolean {
  const { editor, ui } = app;
  const { nodes } = editor.store.get();
  const step = STEPS[command];
  if (step) {
    if (nodes.size === 0) return false;
    editor.nudge(step[0] * (isFar ? FAR : 1), step[1] * (isFar ? FAR : 1));
    return true;
  }
  switch (command) {
    case "undo": editor.undo(); break;
    case "redo": editor.redo(); break;
    case "duplicate": editor.duplicate(); break;
    case "select-all": editor.selectAll(); break;
    case "delete": editor.remove(false); break;
    case "delete-heal": editor.remove(true); break;
    case "tidy": editor.tidy(); void flow.fitView({ ...motion(), maxZoom: 1 }); break;
    case "fit": void flow.fitView({ ...motion(), padding: 0.15, maxZoom: 1 }); break;
    case "zoom-in": void flow.zoomIn(motion()); break;
    case "zoom-out": void flow.zoomOut(motion()); break;
    case "zoom-reset": void flow.zoomTo(1, motion()); break;
    case "add": ui.set({ palette: true }); focusSoon("#palette-search"); break;
    case "drawer": showDrawer(ui, !ui.get().drawer); break;
    case "problems": ui.set({ problems: !ui.get().problems }); break;
    case "save": void app.saver.flush(); break;
    case "publish": if (app.editor.data.canEdit) void publish(app); break;
    case "try": if (app.editor.data.canOperate) void tryIt(app); break;
    case "help": ui.set({ help: true }); break;
    case "connect": focusSoon("#connect-to"); break;
    case "rename": focusSoon("#inspector-body [name=name]"); break;
    case "open":
      if (!selectFocused(app)) return false;
      focusSoon("#inspector-body :is(input, select, textarea):not([type=hidden])");
      break;
    case "escape": escape(app); break;
    default: return false;
  }
  return true;
}

function escape({ editor, ui }: App): void {
  const { quickAdd, problems } = ui.get();
  if (quickAdd) ui.set({ quickAdd: null });
  else if (problems) ui.set({ problems: false });
  else editor.select([]);
}

/** Listens for keys and for the clipboard while the editor is on the page. */
export function useCommands(): void {
  const app = useApp();
  const flow = useReactFlow();
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const command = commandFor(event);
      if (!command || event.defaultPrevented) return;
      if (isWriting(event.target) && !EVERYWHERE.has(command)) return;
      if (CANVAS_ONLY.has(command) && isElsewhere(event.target)) return;
      if (run(command, app, flow, event.shiftKey)) event.preventDefault();
    };
    const copy = (event: ClipboardEvent) => {
      if (isWriting(event.target) || getSelection()?.toString()) return;
      const text = app.editor.copied();
      if (!text) return;
      event.clipboardData?.setData("text/plain", text);
      event.preventDefault();
      if (event.type === "cut") app.editor.remove(false);
    };
    const paste = (event: ClipboardEvent) => {
      if (isWriting(event.target)) return;
      const text = event.clipboardData?.getData("text/plain") ?? "";
      if (app.editor.paste(text, centre(flow))) event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    document.addEventListener("copy", copy);
    document.addEventListener("cut", copy);
    document.addEventListener("paste", paste);
    return () => {
      document.removeEventListener("keydown", onKey);
      document.removeEventListener("copy", copy);
      document.removeEventListener("cut", copy);
      document.removeEventListener("paste", paste);
    };
  }, [app, flow]);
}

/** Selects a node and brings it into view. */
export function goTo(app: App, flow: ReactFlowInstance, id: string): void {
  app.editor.select([id]);
  void flow.fitView({ nodes: [{ id }], ...motion(), maxZoom: 1, minZoom: 0.6 });
}

export const wireOf = (app: App, id: string) =>
  app.editor.document.wires.find((wire) => wireId(wire) === id);
