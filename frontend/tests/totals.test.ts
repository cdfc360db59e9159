import { describe, expect, it } from "vitest";

import { Rates } from "../src/totals";

/** Rates after totals at the given [second, count] moments. */
function after(...totals: [number, number][]): Rates {
  const rates = new Rates();
  for (const [second, count] of totals) rates.push(second * 1000, { in: count });
  return rates;
}

describe("rates", () => {
  it("takes the first totals as where counting begins", () => {
    expect(after([0, 1200]).perSecond("in", 0)).toBe(0);
  });

  it("is the growth over the last five seconds", () => {
    expect(after([0, 0], [5, 100]).perSecond("in", 5000)).toBeCloseTo(20);
    expect(after([0, 0], [5, 100], [10, 150]).perSecond("in", 10_000)).toBeCloseTo(10);
  });

  it("does not exaggerate the first moments", () => {
    expect(after([0, 0], [0.1, 10]).perSecond("in", 100)).toBeCloseTo(10);
  });

  it("falls to nothing when nothing comes", () => {
    const rates = after([0, 0], [1, 50]);
    expect(rates.perSecond("in", 3000)).toBeGreaterThan(0);
    expect(rates.perSecond("in", 60_000)).toBe(0);
  });

  it("loses nothing when frames are missing", () => {
    const seldom = after([0, 0], [4, 80]);
    const often = after([0, 0], [1, 20], [2, 40], [3, 60], [4, 80]);
    expect(seldom.perSecond("in", 4000)).toBeCloseTo(often.perSecond("in", 4000));
  });

  it("begins anew when a total has fallen", () => {
    const rates = after([0, 500], [1, 3]);
    expect(rates.perSecond("in", 1000)).toBe(0);
  });

  it("knows nothing of names it hasn't heard", () => {
    expect(after([0, 1]).perSecond("out", 0)).toBe(0);
  });

  it("stays small however long it runs", () => {
    const rates = after(...Array.from({ length: 5000 }, (_, index): [number, number] => [index / 10, index]));
    expect(rates.perSecond("in", 499_900)).toBeCloseTo(10, 0);
  });
});
