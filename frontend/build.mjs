// How is the bundle made? The same bytes from the same lock file on every machine: `node build.mjs`
// writes static/dist/, `node build.mjs --check` only says whether it is up to date.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "static", "dist");

async function bundle() {
  const result = await build({
    absWorkingDir: here,
    entryPoints: { editor: "src/main.ts" },
    outdir: "dist",
    write: false,
    metafile: true,
    bundle: true,
    format: "esm",
    target: ["es2022"],
    jsx: "automatic",
    minify: true,
    charset: "utf8",
    legalComments: "none",
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "warning",
  });
  const files = new Map(
    result.outputFiles.map((file) => [file.path.split(sep).at(-1), Buffer.from(file.contents)]),
  );
  files.set("LICENSES", Buffer.from(licences(Object.keys(result.metafile.inputs))));
  return files;
}

/** The licence texts of every package that has code in the bundle. */
function licences(inputs) {
  const packages = new Set();
  for (const input of inputs) {
    const found = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) packages.add(found[1]);
  }
  const parts = [...packages].sort().map((name) => {
    const home = join(here, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
    const file = readdirSync(home).find((one) => /^licen[cs]e/i.test(one));
    const text = file ? readFileSync(join(home, file), "utf8").trim() : `Licence: ${license}`;
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  const line = `\n${"-".repeat(80)}\n\n`;
  return `editor.js and editor.css contain code of these packages.\n${line}${parts.join(line)}`;
}

const files = await bundle();
if (process.argv.includes("--check")) {
  const stale = [...files].filter(([name, content]) => {
    const path = join(out, name);
    return !existsSync(path) || !readFileSync(path).equals(content);
  });
  for (const [name] of stale) {
    console.error(`static/dist/${name} isn't what the source builds. Run: node build.mjs`);
  }
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  mkdirSync(out, { recursive: true });
  for (const [name, content] of files) {
    writeFileSync(join(out, name), content);
    console.log(`static/dist/${name}  ${Math.ceil(content.length / 1024)} KB`);
  }
}
