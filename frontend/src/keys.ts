// Which key does what? One table for the handler and for the help dialog.
export type Command =
  | "undo" | "redo" | "duplicate" | "select-all" | "delete" | "delete-heal" | "fit" | "zoom-in"
  | "zoom-out" | "zoom-reset" | "tidy" | "add" | "drawer" | "save" | "publish" | "try" | "rename"
  | "connect" | "left" | "right" | "up" | "down" | "escape" | "help" | "open" | "problems";

export interface Stroke {
  readonly key: string;
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
}

// "c": Ctrl or Cmd, "s": Shift, "a": Alt; then the key, lower case. Digits go by their place on
// the keyboard, for Shift+1 is "!" here and "+" there.
const KEYS: Readonly<Record<string, Command>> = {
  "c+z": "undo",
  "cs+z": "redo",
  "c+y": "redo",
  "c+d": "duplicate",
  "c+a": "select-all",
  "+delete": "delete",
  "+backspace": "delete",
  "c+delete": "delete-heal",
  "c+backspace": "delete-heal",
  "+1": "fit",
  "s+1": "fit",
  "c+1": "fit",
  "+0": "zoom-reset",
  "c+0": "zoom-reset",
  "++": "zoom-in",
  "s++": "zoom-in",
  "+=": "zoom-in",
  "c++": "zoom-in",
  "c+=": "zoom-in",
  "+-": "zoom-out",
  "c+-": "zoom-out",
  "sa+t": "tidy",
  "+/": "add",
  "+n": "add",
  "+l": "drawer",
  "c+s": "save",
  "s+p": "publish",
  "c+enter": "try",
  "+f2": "rename",
  "+c": "connect",
  "+p": "problems",
  "+arrowleft": "left",
  "s+arrowleft": "left",
  "+arrowright": "right",
  "s+arrowright": "right",
  "+arrowup": "up",
  "s+arrowup": "up",
  "+arrowdown": "down",
  "s+arrowdown": "down",
  "+escape": "escape",
  "+enter": "open",
  "+ ": "open",
  "+?": "help",
  "s+?": "help",
};

/** The command that a key stroke on the canvas means, or null. */
export function commandFor(stroke: Stroke): Command | null {
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(stroke.code)?.[1];
  const letter = /^Key([A-Z])$/.exec(stroke.code)?.[1];
  // With Alt, some systems type another sign than the one on the key.
  const key = digit ?? (stroke.altKey && letter ? letter : stroke.key).toLowerCase();
  const held =
    (stroke.ctrlKey || stroke.metaKey ? "c" : "") +
    (stroke.shiftKey ? "s" : "") +
    (stroke.altKey ? "a" : "");
  return KEYS[`${held}+${key}`] ?? null;
}

/** What the help dialog lists. */
export const HELP: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    "Build",
    [
      ["N or /", "Find a node to add"],
      ["Double-click", "Add a node here"],
      ["C", "Connect the selected node to…"],
      ["Enter", "Open the selected node"],
      ["F2", "Rename the selected node"],
      ["Delete", "Delete"],
      ["Ctrl Delete", "Delete and close the gap"],
    ],
  ],
  [
    "Edit",
    [
      ["Ctrl Z", "Undo"],
      ["Ctrl Shift Z", "Redo"],
      ["Ctrl C, X, V", "Copy, cut, paste"],
      ["Ctrl D", "Duplicate"],
      ["Ctrl A", "Select all"],
      ["Arrows", "Move the selection (Shift: further)"],
      ["Shift Alt T", "Tidy up"],
    ],
  ],
  [
    "Look",
    [
      ["1", "Show the whole flow"],
      ["+ and −", "Zoom"],
      ["0", "Actual size"],
      ["Space drag", "Move the canvas"],
      ["L", "Show or hide traces"],
      ["P", "Show or hide problems"],
      ["?", "This list"],
    ],
  ],
  [
    "Run",
    [
      ["Ctrl S", "Save now"],
      ["Ctrl Enter", "Try"],
      ["Shift P", "Publish"],
    ],
  ],
];
