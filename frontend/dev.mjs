// How does one work on the editor without Django? `npm run dev` builds the bundle and serves it at
// http://127.0.0.1:5173/?flow=small|large|huge|errors|empty&live=EVENTS_PER_SECOND with a mock server.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { catalog, flows, problems, views } from "./dev/flows.mjs";
import { accept, sendJson } from "./dev/socket.mjs";
import { Traffic } from "./dev/traffic.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "..");
const PORT = Number(process.env.PORT ?? 5173);
const TYPES = {
  ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2",
};
const CSP =
  "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'";

const drafts = new Map(Object.entries(flows).map(([name, make]) => [name, { document: make(), revision: 12 }]));

const editorData = (name, live) => ({
  workspace: "main", slug: "orders", name: drafts.get(name).document.name, canEdit: true,
  canOperate: true, paused: false, catalog, document: drafts.get(name).document,
  revision: drafts.get(name).revision, problems: problems(drafts.get(name).document),
  nodes: views(drafts.get(name).document),
  published: name === "empty" ? null : { number: 7, changes: name === "large" ? 0 : 3 },
  urls: {
    draft: `/${name}/draft`, publish: `/${name}/publish`, inspector: "/inspector",
    socket: `/${name}/socket?live=${live}`, traces: "/traces", trace: "/traces/{id}", try: "/try",
    state: "/state", versions: "/versions", export: "/export", import: "/import", delete: "/delete",
  },
});

const page = (name, live) =>
  readFileSync(join(here, "dev.html"), "utf8").replace("@DATA@", () =>
    JSON.stringify(editorData(name, live)).replaceAll("<", "\\u003c"),
  );

const escape = (text) => String(text).replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");

const was = ({ id, name, config }, more = "") =>
  `<input type="hidden" name="was" id="inspector-was" value="${escape(JSON.stringify(config))}" ${more}>`;

const form = ({ id, name, config }) =>
  `<form hx-post="/inspector/save" hx-trigger="change" hx-swap="none"><input type="hidden" name="id" value="${escape(id)}">
  ${was({ id, name, config })}
  <div class="field"><label for="f-name">Name</label><input id="f-name" name="name" value="${escape(name)}"></div>
  ${Object.entries(config).map(([key, value]) => `<div class="field"><label for="f-${key}">${key}</label>
  <input class="code" id="f-${key}" name="c.${key}" value="${escape(value)}"><p class="field-help">A CEL expression over <code>event</code>.</p></div>`).join("")}</form>`;

const STEPS = `<ol class="steps" data-path="in big vat call">${["Orders in", "Over 100?", "Add VAT", "Tell billing"].map((name, index) =>
  `<li class="step" data-state="ok"><header><b>${name}</b><span class="faint">${(0.2 + index * 3.1).toFixed(1)} ms</span></header></li>`).join("")}</ol>`;

function htmx() {
  const lib = join(root, ".venv/lib");
  const python = existsSync(lib) ? readdirSync(lib).find((name) => name.startsWith("python")) : "";
  const path = join(lib, python ?? "", "site-packages/django_htmx/static/django_htmx/htmx-2.min.js");
  return existsSync(path) ? readFileSync(path) : "";
}

function save(name, request, body) {
  const draft = drafts.get(name);
  if (request.headers["if-match"] !== `"${draft.revision}"`) {
    return [412, { title: "Somebody else saved", revision: draft.revision }];
  }
  draft.document = JSON.parse(body).document;
  draft.revision += 1;
  const { document, revision } = draft;
  return [200, { revision, problems: problems(document), nodes: views(document), changes: 4 }];
}

function publish(name, body) {
  const found = problems(drafts.get(name).document).filter((one) => one.level === "error");
  if (found.length > 0) return [422, { title: "The flow has problems", detail: "Mend them first.", problems: found }];
  if (name === "small" && !JSON.parse(body).unread) {
    return [409, {
      title: "“Orders in” still has 14 unread events", field: "unread",
      detail: "The new version has no such producer. What shall become of them?",
      choices: [{ value: "finish", label: "Finish on version 7" }, { value: "expire", label: "Expire them" }],
    }];
  }
  return [200, { number: 8 }];
}

function inspectorNews(fields) {
  const config = {};
  for (const [key, value] of fields) if (key.startsWith("c.")) config[key.slice(2)] = value;
  const [id, name] = [fields.get("id"), fields.get("name")];
  const news = `data-node-id="${escape(id)}" data-node-name="${escape(name)}" hx-swap-oob="true"`;
  return was({ id, name, config }, news);
}

function answer(request, url, body) {
  const [, name, act] = url.pathname.split("/");
  if (url.pathname === "/") return [200, page(url.searchParams.get("flow") ?? "small", url.searchParams.get("live") ?? 0)];
  if (act === "draft") return save(name, request, body);
  if (act === "publish") return publish(name, body);
  if (url.pathname === "/try") return [202, { accepted: 1, events: [{ id: "e-1", trace_url: "/?trace=1" }] }];
  if (url.pathname === "/state") return [200, {}];
  if (url.pathname === "/htmx.js") return [200, htmx(), { "Content-Type": "text/javascript" }];
  const fields = new URLSearchParams(body);
  if (url.pathname === "/inspector") {
    const config = JSON.parse(fields.get("config"));
    return [200, form({ id: fields.get("id"), name: fields.get("name"), config })];
  }
  if (url.pathname === "/inspector/save") return [200, inspectorNews(fields)];
  if (name === "traces") return [200, STEPS];
  return [404, { title: "Not here" }];
}

function serveStatic(url, response) {
  const path = normalize(join(root, decodeURIComponent(url.pathname)));
  if (!path.startsWith(join(root, "static")) || !existsSync(path)) return false;
  response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? "text/plain" });
  response.end(readFileSync(path));
  return true;
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname.startsWith("/static/") && serveStatic(url, response)) return;
  let body = "";
  for await (const part of request) body += part;
  const [status, content, headers = {}] = answer(request, url, body);
  const isText = typeof content === "string" || Buffer.isBuffer(content);
  const type = isText ? "text/html; charset=utf-8" : "application/json";
  response.writeHead(status, {
    "Content-Type": type, "Content-Security-Policy": CSP, "Set-Cookie": "csrftoken=dev", ...headers,
  });
  response.end(isText ? content : JSON.stringify(content));
});

server.on("upgrade", (request, socket) => {
  const url = new URL(request.url, "http://localhost");
  accept(request, socket);
  const traffic = new Traffic(drafts.get(url.pathname.split("/")[1]).document);
  const perSecond = Number(url.searchParams.get("live"));
  sendJson(socket, traffic.frame("snapshot", perSecond ? 40 : 0, 1700));
  let owed = 0;
  const timer = setInterval(() => {
    owed += perSecond / 10;
    if (owed < 1) return;
    sendJson(socket, traffic.frame("update", Math.floor(owed)));
    owed %= 1;
  }, 100);
  socket.on("close", () => clearInterval(timer));
});

server.listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}/?flow=small&live=5`));
