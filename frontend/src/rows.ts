// Which traces does the table show, and in what order? Rows come in any order and more than once;
// each is shown once, at its place in time, in its newest state.
import type { Row, RowState } from "./types";

export const ROWS_KEPT = 500;

const isBefore = (a: Row, b: Row): boolean => (a.at === b.at ? a.id > b.id : a.at > b.at);

/**
 * `rows` (newest first) with `incoming` merged in. A row that is there already changes in place,
 * and only to a higher change number, so nothing jumps and a late frame undoes nothing.
 */
export function merge(rows: readonly Row[], incoming: readonly Row[]): readonly Row[] {
  if (incoming.length === 0) return rows;
  const merged = [...rows];
  const places = new Map(merged.map((row, index) => [row.id, index]));
  const fresh = new Map<string, Row>();
  for (const row of incoming) {
    const place = places.get(row.id);
    const known = place === undefined ? fresh.get(row.id) : merged[place];
    if (known && known.change >= row.change) continue;
    if (place === undefined) fresh.set(row.id, row);
    else merged[place] = row;
  }
  for (const row of fresh.values()) merged.splice(placeFor(merged, row), 0, row);
  return merged.slice(0, ROWS_KEPT);
}

function placeFor(rows: readonly Row[], row: Row): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = rows[middle];
    if (other && isBefore(other, row)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The same rows in the same order, each in the newest state that `rows` knows. */
export function renew(held: readonly Row[], rows: readonly Row[]): readonly Row[] {
  const known = new Map(rows.map((row) => [row.id, row]));
  return held.map((row) => known.get(row.id) ?? row);
}

/** How many of `rows` aren't among `seen`: what a paused table has to offer. */
export function countNew(rows: readonly Row[], seen: readonly Row[]): number {
  const ids = new Set(seen.map((row) => row.id));
  return rows.reduce((count, row) => count + (ids.has(row.id) ? 0 : 1), 0);
}

/** Keeps the rows in one of `states` (all when empty) in which every word of `text` occurs. */
export function sift(
  rows: readonly Row[],
  states: ReadonlySet<RowState>,
  text: string,
): readonly Row[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    if (states.size > 0 && !states.has(row.state)) return false;
    const hay = [row.type, row.key, row.event_id, row.error, ...row.path].join(" ").toLowerCase();
    return words.every((word) => hay.includes(word));
  });
}
