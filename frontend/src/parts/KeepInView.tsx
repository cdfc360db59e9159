// Where does a selected card go when a panel opens over its place? Into view, and no further.
import { useReactFlow } from "@xyflow/react";
import { useEffect } from "react";

import { useApp, useEditor, useUi } from "../app";
import { motion } from "../commands";
import { NODE_WIDTH } from "../layout";

const MARGIN = 24;

export function KeepInView() {
  const { editor } = useApp();
  const flow = useReactFlow();
  const only = useEditor((state) => (state.nodes.size === 1 ? [...state.nodes][0] : undefined));
  const inspector = useUi((state) => state.inspector);
  useEffect(() => {
    const place = only === undefined ? undefined : editor.document.layout[only];
    if (!place || !inspector) return;
    const frame = requestAnimationFrame(() => {
      const { x, y, zoom } = flow.getViewport();
      const width = document.querySelector(".canvas")?.clientWidth ?? Infinity;
      const over = (place[0] + NODE_WIDTH) * zoom + x + MARGIN - width;
      if (over > 0) void flow.setViewport({ x: x - over, y, zoom }, motion());
    });
    return () => cancelAnimationFrame(frame);
  }, [editor, flow, only, inspector]);
  return null;
}
