// Which flows does the mock server show? A catalogue, and flows of several sizes made from it.
const port = (name, help) => ({ name, help });
const entry = (type, label, icon, summary, outputs = [], defaults = {}, more = {}) => {
  const role = type.split(".")[0];
  const base = { has_input: role !== "producer", can_fail: role !== "producer", holds: false };
  return { type, role, label, icon, summary, help: summary, outputs, defaults, ...base, ...more };
};
const OUT = [port("out", "Every event.")];

export const catalog = [
  entry("producer.http", "HTTP", "webhook", "Events that programs post to an address.", OUT),
  entry("producer.schedule", "Schedule", "clock", "An event at set times.", OUT, { cron: "0 * * * *" }),
  entry("producer.channel", "Channel", "radio", "Everything on a shared channel.", OUT),
  entry("producer.manual", "Manual", "play", "An event at the press of a button.", OUT),
  entry("filter.condition", "Condition", "split", "Two ways, by an expression.",
    [port("match", "The condition holds."), port("else", "It does not.")], { condition: "" }),
  entry("filter.transform", "Transform", "braces", "Sets, removes and renames fields.", OUT),
  entry("filter.dedupe", "Dedupe", "copy-minus", "Lets each key through once.",
    [port("fresh", "First sight of this key."), port("repeat", "Seen before.")]),
  entry("filter.switch", "Switch", "shuffle", "Many ways, by a value.",
    [port("small", "Below 10."), port("medium", "Up to 100."), port("large", "Above.")]),
  entry("filter.delay", "Delay", "hourglass", "Holds each event for a while.", OUT, {}, { holds: true }),
  entry("filter.window", "Window", "layers", "Gathers events into batches.", OUT),
  entry("filter.sample", "Sample", "filter", "Lets a share of the events through.", OUT),
  entry("consumer.http", "HTTP request", "send", "Calls an address for each event.", [], { method: "POST", url: "" }),
  entry("consumer.mail", "Mail", "mail", "Sends a message.", []),
  entry("consumer.publish", "Publish", "radio-tower", "Puts events on a channel.", []),
  entry("consumer.log", "Log", "scroll-text", "Notes the event and is done.", []),
  entry("consumer.reply", "Reply", "reply", "Answers the caller that waits.", []),
];

const SUMMARIES = {
  "producer.http": () => "POST /hooks/orders",
  "filter.condition": (config) => config.condition ?? "",
  "filter.transform": (config) => config.does ?? "total_with_vat",
  "filter.dedupe": () => "order, 1 h",
  "filter.switch": () => "event.data.amount",
  "filter.delay": () => "5 min",
  "filter.window": () => "100 events or 10 s",
  "filter.sample": () => "10 %",
  "consumer.http": (config) => (config.url ? `POST ${config.url.replace("https://", "")}` : ""),
  "consumer.mail": () => "sales@example.org",
  "consumer.publish": () => "big-orders",
};

export function views(document) {
  return Object.fromEntries(
    document.nodes.flatMap(({ id, type, config }) => {
      const found = catalog.find((one) => one.type === type);
      if (!found) return [];
      const { label, icon, role, outputs } = found;
      const summary = SUMMARIES[type]?.(config) ?? "";
      return [[id, { summary, label, icon, role, ports: outputs.map((one) => one.name) }]];
    }),
  );
}

export function problems(document) {
  return document.nodes.flatMap(({ id, type, config }) => {
    if (type === "consumer.http" && !config.url) {
      return [{ node: id, field: "url", level: "error", says: "Enter the address to call, such as https://example.org/orders." }];
    }
    if (type === "filter.condition" && !config.condition) {
      return [{ node: id, field: "condition", level: "error", says: "Enter a condition, such as event.data.amount > 100." }];
    }
    if (!catalog.some((one) => one.type === type)) {
      return [{ node: id, field: "type", level: "error", says: `No node type ${type} is installed here.` }];
    }
    if (!document.wires.some((wire) => wire.from.startsWith(`${id}:`) || wire.to === id)) {
      return [{ node: id, field: "wires", level: "warning", says: "Nothing is connected to this node." }];
    }
    return [];
  });
}

const node = (id, type, name, config = {}) => ({ id, type, name, config });
const flow = (name, nodes, wires, layout) => ({
  format: "eventflow/1", slug: "orders", name, description: "",
  settings: { ordering: "none", on_error: "retry" },
  nodes, wires: wires.map(([from, to]) => ({ from, to })), layout,
});

const small = () => flow(
  "Orders",
  [
    node("in", "producer.http", "Orders in"),
    node("big", "filter.condition", "Over 100?", { condition: "event.data.amount > 100" }),
    node("vat", "filter.transform", "Add VAT"),
    node("call", "consumer.http", "Tell billing", { method: "POST", url: "https://billing.example/orders" }),
  ],
  [["in:out", "big"], ["big:match", "vat"], ["vat:out", "call"]],
  { in: [0, 0], big: [280, 0], vat: [580, -40], call: [860, -40] },
);

function errors() {
  const document = small();
  document.nodes.push(
    node("notify", "consumer.http", "Tell the warehouse", { method: "POST", url: "" }),
    node("score", "filter.fraud_score", "Score for fraud", { model: "v2" }),
    node("empty", "filter.condition", "Abroad?", { condition: "" }),
    node("note", "consumer.log", "Keep a note"),
  );
  document.wires.push(
    { from: "big:else", to: "empty" }, { from: "vat:out", to: "score" },
    { from: "score:out", to: "notify" }, { from: "call:error", to: "note" },
  );
  Object.assign(document.layout, { empty: [580, 80], score: [860, 80], notify: [1140, 80], note: [1140, -40] });
  return document;
}

function large() {
  const nodes = [];
  const wires = [];
  const layout = {};
  const chain = ["filter.dedupe", "filter.transform", "filter.condition", "filter.switch", "consumer.http"];
  const first = ["fresh", "out", "match", "medium"];
  for (let lane = 0; lane < 5; lane += 1) {
    const start = `in-${lane}`;
    nodes.push(node(start, ["producer.http", "producer.schedule", "producer.channel"][lane % 3],
      ["Shop orders", "Nightly stock", "Payments", "Returns", "Partner feed"][lane]));
    layout[start] = [0, lane * 140];
    let from = `${start}:out`;
    chain.forEach((type, step) => {
      const id = `${type.split(".")[1]}-${lane}`;
      const names = ["Once per order", "Shape the event", "Worth it?", "By size", "Deliver"];
      nodes.push(node(id, type, names[step], { condition: "event.data.amount > 100", url: "https://api.example/in" }));
      layout[id] = [(step + 1) * 300, lane * 140];
      wires.push([from, id]);
      from = `${id}:${first[step]}`;
    });
  }
  wires.push(["switch-0:large", "http-1"], ["condition-2:else", "switch-3"], ["switch-4:small", "http-3"]);
  return flow("Everything the shop sells", nodes, wires, layout);
}

function huge() {
  const ids = Array.from({ length: 600 }, (_, index) => `step-${index}`);
  return flow(
    "A very large flow",
    ids.map((id, index) => node(id, index % 30 ? "filter.transform" : "producer.http", `Step ${index}`)),
    ids.flatMap((id, index) => (index % 30 ? [[`step-${index - 1}:out`, id]] : [])),
    Object.fromEntries(ids.map((id, index) => [id, [(index % 30) * 300, Math.floor(index / 30) * 120]])),
  );
}

const empty = () => flow("Untitled flow", [], [], {});

export const flows = { small, errors, large, huge, empty };
