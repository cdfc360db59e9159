// How does undo remember? As whole documents: they share all that didn't change.
export interface History<T> {
  readonly past: readonly T[];
  readonly present: T;
  readonly future: readonly T[];
  /** What the last step was about, and when: a follow-up soon after joins it. */
  readonly about: string;
  readonly at: number;
}

const DEPTH = 200;
const JOINS_WITHIN_MS = 1200;

export const begin = <T>(present: T): History<T> => ({
  past: [],
  present,
  future: [],
  about: "",
  at: 0,
});

/**
 * One step further. Steps with the same non-empty `about` that follow each other quickly are one
 * step to undo: the typing in one field, the nudging of one selection.
 */
export function step<T>(history: History<T>, next: T, about: string, now: number): History<T> {
  if (next === history.present) return history;
  const joins = about !== "" && about === history.about && now - history.at < JOINS_WITHIN_MS;
  const past = joins ? history.past : [...history.past, history.present].slice(-DEPTH);
  return { past, present: next, future: [], about, at: now };
}

export function undo<T>(history: History<T>): History<T> {
  const previous = history.past.at(-1);
  if (previous === undefined) return history;
  return {
    past: history.past.slice(0, -1),
    present: previous,
    future: [history.present, ...history.future],
    about: "",
    at: 0,
  };
}

export function redo<T>(history: History<T>): History<T> {
  const [next, ...future] = history.future;
  if (next === undefined) return history;
  return { past: [...history.past, history.present], present: next, future, about: "", at: 0 };
}
