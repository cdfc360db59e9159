// How are wires made and cut without a pointer? As a list, with a choice of what comes next.
import { useState } from "react";

import { nameOf, useApp, useDocument } from "../app";
import { ERROR_PORT, nodeById, sourceOf, portOf, whyNot, wireId } from "../graph";
import { Icon } from "./Icon";

export function ConnectTo({ id }: { id: string }) {
  const { editor } = useApp();
  const doc = useDocument();
  const entry = editor.find(nodeById(doc, id)?.type ?? "");
  const ports = [...editor.portsOf(id), ...(entry?.can_fail ? [ERROR_PORT] : [])];
  const [chosen, setPort] = useState(ports[0] ?? "");
  const port = ports.includes(chosen) ? chosen : (ports[0] ?? "");
  if (ports.length === 0) return null;
  const going = doc.wires.filter((wire) => sourceOf(wire) === id);
  const targets = doc.nodes.filter(
    (node) => whyNot(doc, { from: `${id}:${port}`, to: node.id }, editor.find) === null,
  );
  const cut = (wire: string) => {
    editor.select([], [wire]);
    editor.remove(false);
    editor.select([id]);
  };
  return (
    <section className="connections" aria-label="Wires">
      <h3>Goes on to</h3>
      <ul>
        {going.map((wire) => (
          <li key={wireId(wire)}>
            <span className="chip">{portOf(wire)}</span>
            <Icon name="arrow-right" size="s" />
            <span className="connection-name">{nameOf(doc, wire.to)}</span>
            {editor.canEdit && (
              <button
                className="button quiet icon-only small"
                aria-label={`Cut the wire to ${nameOf(doc, wire.to)}`}
                title="Cut this wire"
                onClick={() => cut(wireId(wire))}
              >
                <Icon name="x" size="s" />
              </button>
            )}
          </li>
        ))}
      </ul>
      {going.length === 0 && <p className="field-help">Nothing yet: events end here.</p>}
      {editor.canEdit && (
        <div className="connect-form">
          {ports.length > 1 && (
            <select
              aria-label="Port"
              value={port}
              onChange={(event) => setPort(event.target.value)}
            >
              {ports.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
          <select
            id="connect-to"
            aria-label="Connect to"
            value=""
            disabled={targets.length === 0}
            onChange={(event) => {
              editor.connect({ from: `${id}:${port}`, to: event.target.value });
            }}
          >
            <option value="">{targets.length > 0 ? "Connect to…" : "No node can follow"}</option>
            {targets.map((node) => (
              <option key={node.id} value={node.id}>
                {node.name}
              </option>
            ))}
          </select>
        </div>
      )}
    </section>
  );
}
