// How does one wire look? A curve that grows with its rate, a label, and pulses of traffic.
import {
  BaseEdge, EdgeLabelRenderer, getBezierPath, useStore as useFlow, type EdgeProps,
} from "@xyflow/react";
import { memo, useEffect, useRef } from "react";

import { useApp, useEditor, useLive, useUi } from "../app";
import { exact, rate } from "../format";

const THIN = 1.5;
const THICK = 4;
const GLOWS_ABOVE = 8; // events a second: more pulses than that can't be told apart
const PULSE_MS = 150;
const LABEL_ZOOM = 0.7;
const PULSE_ZOOM = 0.4;
const LABEL_ROOM = 76; // shorter wires have no place for one; the node's badge tells the rate

/** A dot that runs along the wire when its count has grown; one at a time. */
function Pulse({ path, port }: { path: string; port: string }) {
  const count = useLive((live) => live.wires[port] ?? 0);
  const dot = useRef<SVGCircleElement>(null);
  const before = useRef(count);
  useEffect(() => {
    const hasGrown = count > before.current;
    before.current = count;
    if (!hasGrown || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    dot.current?.animate(
      [
        { offsetDistance: "0%", opacity: 1 },
        { offsetDistance: "100%", opacity: 1 },
      ],
      { duration: PULSE_MS, easing: "ease-in-out" },
    );
  }, [count]);
  return <circle ref={dot} className="wire-pulse" r={3.5} style={{ offsetPath: `path("${path}")` }} />;
}

function WireCurve(props: EdgeProps) {
  const { id, source, target, sourceHandleId, selected } = props;
  const { live } = useApp();
  const key = `${source}:${sourceHandleId ?? ""}`;
  const perSecond = useLive((live) => live.wireRates[key] ?? 0);
  const isOver = useUi((ui) => ui.over === id);
  const showsLabel = useFlow((flow) => flow.transform[2] >= LABEL_ZOOM);
  const showsPulse = useFlow((flow) => flow.transform[2] >= PULSE_ZOOM);
  const trail = useEditor((state) => {
    if (state.trail.length === 0) return undefined;
    const index = state.trail.indexOf(target);
    return state.trail.includes(source) && index > 0 ? "on" : "off";
  });
  const [path, x, y] = getBezierPath({ ...props, curvature: 0.3 });
  const glows = perSecond > GLOWS_ABOVE;
  const width = Math.min(THICK, THIN + Math.log10(1 + perSecond) * 0.9);
  const label = rate(perSecond);
  return (
    <g
      className="wire"
      data-selected={selected || undefined}
      data-over={isOver || undefined}
      data-glow={glows || undefined}
      data-error={sourceHandleId === "error" || undefined}
      data-trail={trail}
    >
      {glows && <path className="wire-glow" d={path} style={{ strokeWidth: width + 6 }} />}
      <BaseEdge path={path} style={{ strokeWidth: width }} interactionWidth={18} />
      {!glows && showsPulse && <Pulse path={path} port={key} />}
      {label && showsLabel && Math.abs(props.targetX - props.sourceX) > LABEL_ROOM && (
        <EdgeLabelRenderer>
          <span
            className="wire-label"
            style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}
            title={`${exact(live.store.get().wires[key] ?? 0)} events so far`}
          >
            {label}
          </span>
        </EdgeLabelRenderer>
      )}
    </g>
  );
}

export const FlowWire = memo(WireCurve);
