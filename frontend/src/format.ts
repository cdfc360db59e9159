// How are numbers, times and states put into words?
import type { RowState } from "./types";

const exactNumber = new Intl.NumberFormat("en-GB");
const exactTime = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium",
  timeStyle: "long",
});
const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});

/** 950, 1.2k, 38k, 2.4M: short enough for a badge; the exact figure belongs into a tooltip. */
export function short(value: number): string {
  if (value < 1000) return String(Math.round(value));
  if (value < 999_500) return `${trim(value / 1000)}k`;
  return `${trim(value / 1_000_000)}M`;
}

const trim = (value: number): string => (value < 9.95 ? value.toFixed(1) : value.toFixed(0));

export const exact = (value: number): string => exactNumber.format(value);

/** "0.4/s", "12/s", "1.2k/s"; empty when nothing moves. */
export function rate(perSecond: number): string {
  if (perSecond < 0.05) return "";
  return `${perSecond < 9.95 ? perSecond.toFixed(1) : short(perSecond)}/s`;
}

/** "0.8 ms", "42 ms", "3.1 s", "2 min". */
export function duration(ms: number | null): string {
  if (ms === null) return "";
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 99_500) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

export const timeOfDay = (at: string): string => clock.format(new Date(at));
export const timeInFull = (at: string): string => exactTime.format(new Date(at));

export const STATES: Readonly<Record<RowState, { word: string; icon: string }>> = {
  ok: { word: "Done", icon: "circle-check" },
  failed: { word: "Failed", icon: "circle-x" },
  filtered: { word: "Filtered", icon: "circle-slash" },
  running: { word: "Running", icon: "loader" },
  queued: { word: "Queued", icon: "circle-dashed" },
};

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${exact(count)} ${count === 1 ? one : many}`;
