// Which buttons lie on the canvas? Zoom, fit, tidy, and the drawer's handle.
import { useReactFlow, useStore as useFlow } from "@xyflow/react";

import { showDrawer, useApp, useEditor, useUi } from "../app";
import { motion } from "../commands";
import { Icon } from "./Icon";

export function CanvasTools() {
  const { editor, ui, isPhone } = useApp();
  const flow = useReactFlow();
  const zoom = useFlow((state) => Math.round(state.transform[2] * 100));
  const hasSelection = useEditor((state) => state.nodes.size + state.wires.size > 0);
  const drawer = useUi((state) => state.drawer);
  const tool = (icon: string, label: string, act: () => void) => (
    <button className="button quiet icon-only small" aria-label={label} title={label} onClick={act}>
      <Icon name={icon} />
    </button>
  );
  return (
    <div className="canvas-tools" role="toolbar" aria-label="View">
      {tool("zoom-out", "Zoom out (−)", () => void flow.zoomOut(motion()))}
      <button
        className="button quiet small zoom"
        title="Actual size (0)"
        onClick={() => void flow.zoomTo(1, motion())}
      >
        {zoom} %
      </button>
      {tool("zoom-in", "Zoom in (+)", () => void flow.zoomIn(motion()))}
      {tool("maximize", "Show the whole flow (1)", () => {
        void flow.fitView({ ...motion(), padding: 0.15, maxZoom: 1 });
      })}
      {editor.canEdit && tool("layout-template", "Tidy up (Shift Alt T)", () => {
        editor.tidy();
        void flow.fitView({ ...motion(), padding: 0.15, maxZoom: 1 });
      })}
      <i className="tool-gap" />
      <button
        className="button quiet small"
        aria-pressed={drawer}
        title="Show or hide traces (L)"
        onClick={() => showDrawer(ui, !drawer)}
      >
        <Icon name="activity" size="s" />
        Traces
      </button>
      {isPhone && hasSelection && (
        <button className="button quiet small" onClick={() => ui.set({ inspector: true })}>
          <Icon name="info" size="s" />
          Details
        </button>
      )}
    </div>
  );
}
