// How do the icons and fonts get from their npm packages into static/?
// `npm run assets` writes static/img/icons.svg and static/fonts/ anew; run it after a change of
// build/icons.txt or of a package version, and commit what it wrote.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const packages = fileURLToPath(new URL("../node_modules/", import.meta.url));
const out = fileURLToPath(new URL("../../static/", import.meta.url));

// The names that people still use for icons that Lucide has renamed, or never had.
const ALIASES = {
  "alert-triangle": "triangle-alert",
  "alert-circle": "circle-alert",
  "check-circle": "circle-check",
  "x-circle": "circle-x",
  "bar-chart": "chart-no-axes-column",
  "more-horizontal": "ellipsis",
  edit: "pencil",
  home: "house",
};

function symbol(name, source) {
  const path = `${packages}lucide-static/icons/${source}.svg`;
  if (!existsSync(path)) throw new Error(`Lucide has no icon named ${source}; choose another.`);
  const body = readFileSync(path, "utf8").replace(/^[\s\S]*?<svg[^>]*>|<\/svg>\s*$/g, "");
  const shapes = body.replace(/\s*\n\s*/g, "").trim();
  return (
    `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" ` +
    `stroke-linecap="round" stroke-linejoin="round">${shapes}</symbol>`
  );
}

const names = readFileSync(new URL("icons.txt", import.meta.url), "utf8").trim().split(/\s+/);
const entries = [...names.map((name) => [name, name]), ...Object.entries(ALIASES)].sort();
const symbols = entries.map(([name, source]) => symbol(name, source)).join("\n");
mkdirSync(`${out}img`, { recursive: true });
writeFileSync(
  `${out}img/icons.svg`,
  `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols}\n</svg>\n`,
);
copyFileSync(`${packages}lucide-static/LICENSE`, `${out}img/icons.LICENSE`);

const FONTS = [
  ["inter", "inter-latin-wght-normal.woff2", "inter-latin-ext-wght-normal.woff2"],
  [
    "jetbrains-mono",
    "jetbrains-mono-latin-wght-normal.woff2",
    "jetbrains-mono-latin-ext-wght-normal.woff2",
  ],
];
mkdirSync(`${out}fonts`, { recursive: true });
for (const [family, ...files] of FONTS) {
  const home = `${packages}@fontsource-variable/${family}/`;
  for (const file of files) copyFileSync(`${home}files/${file}`, `${out}fonts/${file}`);
  copyFileSync(`${home}LICENSE`, `${out}fonts/${family}.LICENSE`);
}
