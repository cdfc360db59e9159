// How does the server's form for a node live in the editor? It is asked for when a node is selected
// or changed from elsewhere; it posts itself, and its answers update the drawing.
import { useEffect, useRef } from "react";

import { htmx, useApp } from "../app";
import type { Config, FlowNode } from "../types";

interface ConfigNews {
  readonly id: string;
  readonly name: string;
  readonly config: Config;
}

const WAS = "input[data-node-id]";

/** What a piece of the form that has just come says of the node's configuration, if it does. */
function newsIn(piece: Element): ConfigNews | null {
  const was = piece.matches(WAS) ? piece : piece.querySelector(WAS);
  if (!(was instanceof HTMLInputElement)) return null;
  const { nodeId: id = "", nodeName: name = "" } = was.dataset;
  return { id, name, config: JSON.parse(was.value) as Config };
}

const asText = (name: string, config: Config): string => JSON.stringify([name, config]);

export function NodeForm({ node }: { node: FlowNode }) {
  const { editor } = useApp();
  const shown = useRef("");

  useEffect(() => {
    const take = (event: Event) => {
      const news = newsIn(event.target as Element);
      if (!news) return;
      if (news.id === node.id) shown.current = asText(news.name, news.config);
      editor.configure(news.id, news.name, news.config);
    };
    document.body.addEventListener("htmx:load", take);
    return () => document.body.removeEventListener("htmx:load", take);
  }, [editor, node.id]);

  useEffect(() => {
    const text = asText(node.name, node.config);
    if (text === shown.current) return; // the form has just said so itself
    shown.current = text;
    const { id, type, name, config } = node;
    void htmx()?.ajax("POST", editor.data.urls.inspector, {
      target: "#inspector-body",
      swap: "innerHTML",
      values: { id, type, name, config: JSON.stringify(config) },
    });
  }, [editor, node]);

  return (
    <fieldset id="inspector-body" className="inspector-body" disabled={!editor.canEdit} />
  );
}
