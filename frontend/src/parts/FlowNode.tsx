// How does one node look on the canvas? Its role, name and summary, its ports, and live badges.
import { Handle, Position, useUpdateNodeInternals } from "@xyflow/react";
import { memo, useEffect, useRef } from "react";

import { useApp, useEditor, useLive } from "../app";
import { exact, plural, rate, short } from "../format";
import { ERROR_PORT, nodeById, wiredPorts } from "../graph";
import { Icon } from "./Icon";

function Badges({ id }: { id: string }) {
  const { editor, live: flow } = useApp();
  const perSecond = useLive((live) => rate(live.nodeRates[id] ?? 0));
  const held = useLive((live) => live.nodes[id]?.held ?? 0);
  const dead = useLive((live) => live.nodes[id]?.dead ?? 0);
  const { traces } = editor.data.urls;
  const failures = `${traces}${traces.includes("?") ? "&" : "?"}node=${encodeURIComponent(id)}`;
  return (
    <div className="node-badges">
      {perSecond && (
        <span
          className="badge"
          title={`${plural(flow.store.get().nodes[id]?.arrived ?? 0, "event")} so far`}
        >
          {perSecond}
        </span>
      )}
      {held > 0 && (
        <span className="badge" data-state="held" title={`${exact(held)} held or waiting`}>
          <Icon name="hourglass" size="s" />
          {short(held)}
          <span className="hidden-text"> held</span>
        </span>
      )}
      {dead > 0 && (
        <a
          className="badge nodrag nopan"
          data-state="failed"
          href={`${failures}&state=failed`}
          title={`${plural(dead, "failure")}: open them`}
        >
          <Icon name="circle-x" size="s" />
          {short(dead)}
          <span className="hidden-text"> failed: open them</span>
        </a>
      )}
    </div>
  );
}

function Outputs({ id, ports, canFail }: { id: string; ports: readonly string[]; canFail: boolean }) {
  const { editor } = useApp();
  const isFailureWired = useEditor((state) =>
    wiredPorts(state.history.present, id).includes(ERROR_PORT),
  );
  const type = nodeById(editor.document, id)?.type ?? "";
  const help = new Map(editor.find(type)?.outputs.map((port) => [port.name, port.help]));
  return (
    <>
      {ports.map((port, index) => {
        const top = `${((index + 1) * 100) / (ports.length + 1)}%`;
        return (
          <Handle
            key={port}
            id={port}
            type="source"
            position={Position.Right}
            style={{ top }}
            title={help.get(port) ? `${port}: ${help.get(port)}` : port}
          >
            {ports.length > 1 && <span className="port-label">{port}</span>}
          </Handle>
        );
      })}
      {(canFail || isFailureWired) && (
        <Handle
          id={ERROR_PORT}
          type="source"
          position={Position.Bottom}
          className={isFailureWired ? "port-error is-wired" : "port-error"}
          title="error: events that failed here"
        >
          <span className="port-label">error</span>
        </Handle>
      )}
    </>
  );
}

function FlowNodeCard({ id, selected }: { id: string; selected?: boolean }) {
  const { editor } = useApp();
  const node = useEditor((state) => nodeById(state.history.present, id));
  const view = useEditor((state) => state.views[id]) ?? editor.viewOf(id);
  const problem = useEditor((state) => state.problems.find((one) => one.node === id));
  const onTrail = useEditor((state) => state.trail.includes(id));
  const hasTrail = useEditor((state) => state.trail.length > 0);
  const hasFailed = useLive((live) => (live.nodes[id]?.dead ?? 0) > 0);
  const portList = useEditor(() => editor.portsOf(id).join("\n"));
  const update = useUpdateNodeInternals();
  const drawnPorts = useRef(portList);
  useEffect(() => {
    if (drawnPorts.current === portList) return; // React Flow measures a new card by itself
    drawnPorts.current = portList;
    update(id);
  }, [id, portList, update]);
  if (!node) return null;
  const entry = editor.find(node.type);
  const role = entry ? view.role : "unknown";
  return (
    <div
      className="node"
      data-role={role}
      data-selected={selected || undefined}
      data-failed={hasFailed || undefined}
      data-problem={problem?.level}
      data-trail={hasTrail ? (onTrail ? "on" : "off") : undefined}
    >
      {entry?.has_input !== false && (
        <Handle id="in" type="target" position={Position.Left} title="Events come in here" />
      )}
      <span className="node-icon">
        <Icon name={entry ? view.icon : "puzzle"} />
      </span>
      <span className="node-text">
        <strong title={node.name}>{node.name}</strong>
        <span className="node-summary" title={view.summary}>
          {entry ? view.summary || view.label : `Unknown type ${node.type}`}
        </span>
      </span>
      {problem && (
        <span className="node-problem" title={problem.says}>
          <Icon name={problem.level === "error" ? "circle-alert" : "triangle-alert"} size="s" />
          <span>{problem.says}</span>
        </span>
      )}
      <Badges id={id} />
      <Outputs
        id={id}
        ports={portList ? portList.split("\n") : []}
        canFail={entry?.can_fail ?? false}
      />
    </div>
  );
}

export const FlowNode = memo(FlowNodeCard);
