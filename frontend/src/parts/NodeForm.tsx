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

const asText = (name: string, config: Config): string => JSON.stringify([name, config]);

export function NodeForm({ node }: { node: FlowNode }) {
  const { editor } = useApp();
  const shown = useRef("");

  useEffect(() => {
    const take = (event: Event) => {
      const news = (event as CustomEvent<ConfigNews>).detail;
      if (news.id === node.id) shown.current = asText(news.name, news.config);
      editor.configure(news.id, news.name, news.config);
    };
    document.body.addEventListener("eventflow:config", take);
    return () => document.body.removeEventListener("eventflow:config", take);
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
