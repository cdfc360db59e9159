// What happens to the view when panels take room? Its middle stays, and so does the selected card.
import { useReactFlow, useStore as useFlow } from "@xyflow/react";
import { useEffect, useRef } from "react";

import { useApp, useEditor } from "../app";
import { motion } from "../commands";
import { NODE_WIDTH } from "../layout";

const MARGIN = 24;

export function KeepInView() {
  const { editor } = useApp();
  const flow = useReactFlow();
  const width = useFlow((state) => state.width);
  const height = useFlow((state) => state.height);
  const before = useRef(0);
  const only = useEditor((state) => (state.nodes.size === 1 ? [...state.nodes][0] : undefined));

  useEffect(() => {
    const { x, y, zoom } = flow.getViewport();
    const shift = before.current > 0 ? (height - before.current) / 2 : 0;
    before.current = height;
    if (shift !== 0) void flow.setViewport({ x, y: y + shift, zoom });
  }, [flow, height]);

  useEffect(() => {
    const place = only === undefined ? undefined : editor.document.layout[only];
    if (!place || width === 0) return;
    const { x, y, zoom } = flow.getViewport();
    const over = (place[0] + NODE_WIDTH) * zoom + x + MARGIN - width;
    if (over > 0) void flow.setViewport({ x: x - over, y, zoom }, motion());
  }, [editor, flow, only, width]);
  return null;
}
