// Which node types fit what somebody typed? Those whose words begin with it come first.
import type { CatalogEntry, Role } from "./types";

export const ROLES: readonly { role: Role; title: string }[] = [
  { role: "producer", title: "Producers" },
  { role: "filter", title: "Filters" },
  { role: "consumer", title: "Consumers" },
];

/** Lower is better; null when `words` aren't all in the entry. */
function rank(entry: CatalogEntry, words: readonly string[]): number | null {
  const label = entry.label.toLowerCase();
  const all = `${label} ${entry.type} ${entry.summary}`.toLowerCase();
  if (!words.every((word) => all.includes(word))) return null;
  const first = words[0] ?? "";
  if (label.startsWith(first)) return 0;
  return label.includes(first) ? 1 : 2;
}

/** The fitting entries, best first, otherwise in the catalogue's order. */
export function search(catalog: readonly CatalogEntry[], text: string): CatalogEntry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return catalog
    .flatMap((entry) => {
      const place = rank(entry, words);
      return place === null ? [] : [{ entry, place }];
    })
    .sort((a, b) => a.place - b.place)
    .map(({ entry }) => entry);
}
