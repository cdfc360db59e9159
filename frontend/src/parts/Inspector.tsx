// What does the side panel show? The selected node's problems, wires and form, or the selected wire.
import { useApp, useDocument, useEditor, useUi, wireName } from "../app";
import { nodeById, wireId } from "../graph";
import { plural } from "../format";
import { ConnectTo } from "./ConnectTo";
import { Icon } from "./Icon";
import { NodeForm } from "./NodeForm";
import type { FlowNode } from "../types";

const ROLE_WORDS = {
  producer: "Producer",
  filter: "Filter",
  consumer: "Consumer",
  unknown: "Unknown",
};

function Tools({ what }: { what: string }) {
  const { editor } = useApp();
  if (!editor.canEdit) return null;
  return (
    <span className="inspector-tools">
      {what !== "wire" && (
        <button
          className="button quiet icon-only small"
          aria-label={`Duplicate ${what}`}
          title="Duplicate (Ctrl D)"
          onClick={() => editor.duplicate()}
        >
          <Icon name="copy" />
        </button>
      )}
      <button
        className="button quiet icon-only small"
        aria-label={`Delete ${what}`}
        title="Delete (Delete)"
        onClick={() => editor.remove(false)}
      >
        <Icon name="trash-2" />
      </button>
    </span>
  );
}

function NodePanel({ node }: { node: FlowNode }) {
  const { editor } = useApp();
  const view = useEditor((state) => state.views[node.id]) ?? editor.viewOf(node.id);
  const allProblems = useEditor((state) => state.problems);
  const problems = allProblems.filter((problem) => problem.node === node.id);
  const isKnown = editor.find(node.type) !== undefined;
  const role = isKnown ? view.role : "unknown";
  return (
    <>
      <header className="inspector-head">
        <span className="node-icon" data-role={role}>
          <Icon name={isKnown ? view.icon : "puzzle"} />
        </span>
        <div>
          <h2>{isKnown ? view.label : node.type}</h2>
          <p>
            {ROLE_WORDS[role]} <code>{node.id}</code>
          </p>
        </div>
        <Tools what="node" />
      </header>
      {problems.map((problem, index) => (
        <p key={index} className="inspector-problem" data-level={problem.level}>
          <Icon name={problem.level === "error" ? "circle-alert" : "triangle-alert"} size="s" />
          {problem.says}
        </p>
      ))}
      {isKnown ? (
        <NodeForm node={node} />
      ) : (
        <div className="inspector-note">
          <p>
            This server has no node type <code>{node.type}</code>. The node is kept as it is; the
            flow can be published once the type is installed or the node deleted.
          </p>
          <pre className="code">{JSON.stringify(node.config, null, 2)}</pre>
        </div>
      )}
      <ConnectTo id={node.id} />
    </>
  );
}

function WirePanel({ id }: { id: string }) {
  const doc = useDocument();
  const wire = doc.wires.find((one) => wireId(one) === id);
  return (
    <>
      <header className="inspector-head">
        <span className="node-icon">
          <Icon name="route" />
        </span>
        <div>
          <h2>Wire</h2>
          <p>{wire && wireName(doc, wire)}</p>
        </div>
        <Tools what="wire" />
      </header>
    </>
  );
}

export function Inspector() {
  const { ui, isPhone } = useApp();
  const doc = useDocument();
  const nodes = useEditor((state) => state.nodes);
  const wires = useEditor((state) => state.wires);
  const isOpen = useUi((state) => state.inspector);
  const count = nodes.size + wires.size;
  if (!isOpen || count === 0) return null;
  const [only] = nodes;
  const [wire] = wires;
  const node = nodes.size === 1 && only ? nodeById(doc, only) : undefined;
  return (
    <aside className="inspector" aria-label="Inspector">
      {isPhone && (
        <button className="button quiet small" onClick={() => ui.set({ inspector: false })}>
          <Icon name="chevron-left" /> Back to the flow
        </button>
      )}
      {node && <NodePanel key={node.id} node={node} />}
      {nodes.size === 0 && wires.size === 1 && wire && <WirePanel id={wire} />}
      {!node && count > 1 && (
        <header className="inspector-head">
          <span className="node-icon">
            <Icon name="shapes" />
          </span>
          <div>
            <h2>{plural(nodes.size, "node")} selected</h2>
            <p>{plural(wires.size, "wire")}</p>
          </div>
          <Tools what="selection" />
        </header>
      )}
    </aside>
  );
}
