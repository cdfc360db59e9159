// How is the flow drawn and edited by hand? Pointer gestures become acts of the editor.
import {
  Background, BackgroundVariant, ConnectionLineType, MiniMap, ReactFlow, SelectionMode,
  useReactFlow, type Edge, type EdgeChange, type FinalConnectionState, type Node, type NodeChange,
} from "@xyflow/react";
import { useRef, useState, type DragEvent, type MouseEvent as ReactMouseEvent } from "react";

import { toast, useApp, useDocument, useEditor, useUi, type QuickAdd } from "../app";
import { drawNodes, drawWires } from "../canvas";
import { wireOf } from "../commands";
import { whyNot } from "../graph";
import { GRID, NODE_HEIGHT, NODE_WIDTH, snapPoint } from "../layout";
import type { Point } from "../types";
import { CanvasTools } from "./CanvasTools";
import { EmptyCanvas } from "./EmptyCanvas";
import { FlowNode } from "./FlowNode";
import { FlowWire } from "./FlowWire";
import { KeepInView } from "./KeepInView";
import { TYPE_MIME } from "./Palette";

const NODE_TYPES = { card: FlowNode };
const EDGE_TYPES = { wire: FlowWire };
const SHOWS_ALL_BELOW = 300;
const READABLE = 0.55; // a phone shows a part that can be read, not the whole

const roleColour = (role: string): string => `var(--${role}-edge)`;

/** The id of the wire under a point of the screen. */
function wireUnder(x: number, y: number): string | null {
  const edge = document.elementsFromPoint(x, y).find((one) => one.closest(".react-flow__edge"));
  return edge?.closest(".react-flow__edge")?.getAttribute("data-id") ?? null;
}

const place = (event: MouseEvent | TouchEvent): { clientX: number; clientY: number } =>
  "clientX" in event ? event : (event.changedTouches[0] ?? { clientX: 0, clientY: 0 });

export function Canvas() {
  const app = useApp();
  const { editor, ui, isPhone } = app;
  const flow = useReactFlow();
  const doc = useDocument();
  const selectedNodes = useEditor((state) => state.nodes);
  const selectedWires = useEditor((state) => state.wires);
  useEditor((state) => state.views); // ports, and with them heights, may be new
  const drawer = useUi((state) => state.drawer);
  const [dragged, setDragged] = useState<Record<string, Point>>({});
  const drawn = useRef<{ nodes: Node[]; edges: Edge[] }>({ nodes: [], edges: [] });
  const isEmpty = doc.nodes.length === 0;

  drawn.current = {
    nodes: drawNodes(drawn.current.nodes, doc, selectedNodes, dragged,
      (id) => editor.portsOf(id).length, (id) => editor.viewOf(id).label),
    edges: drawWires(drawn.current.edges, doc, selectedWires),
  };

  const onNodesChange = (changes: NodeChange[]) => {
    const [nodes, places] = [new Set(editor.store.get().nodes), { ...dragged }];
    let [hasMoved, isDone] = [false, false];
    for (const change of changes) {
      if (change.type === "select") {
        if (change.selected) nodes.add(change.id);
        else nodes.delete(change.id);
      } else if (change.type === "position" && change.position) {
        places[change.id] = snapPoint([change.position.x, change.position.y]);
        hasMoved = true;
        isDone ||= change.dragging === false;
      }
    }
    editor.select(nodes, editor.store.get().wires);
    if (isDone) {
      editor.move(places);
      setDragged({});
    } else if (hasMoved) setDragged(places);
  };

  const onEdgesChange = (changes: EdgeChange[]) => {
    const wires = new Set(editor.store.get().wires);
    for (const change of changes) {
      if (change.type !== "select") continue;
      if (change.selected) wires.add(change.id);
      else wires.delete(change.id);
    }
    editor.select(editor.store.get().nodes, wires);
  };

  const quickAdd = (x: number, y: number, from: QuickAdd["from"] = null) => {
    const at = flow.screenToFlowPosition({ x, y });
    ui.set({ quickAdd: { left: x, top: y, from, at: [at.x, at.y - NODE_HEIGHT / 2] } });
  };

  const onConnectEnd = (event: MouseEvent | TouchEvent, state: FinalConnectionState) => {
    const { fromNode, fromHandle } = state;
    if (!fromNode || !fromHandle || fromHandle.type !== "source") return;
    const { clientX, clientY } = place(event);
    const port = fromHandle.id ?? "out";
    const hit = document.elementFromPoint(clientX, clientY)?.closest(".react-flow__node");
    const target = state.toNode?.id ?? hit?.getAttribute("data-id");
    if (target) {
      const refusal = editor.connect({ from: `${fromNode.id}:${port}`, to: target });
      if (refusal && target !== fromNode.id) toast(refusal, "info");
    } else quickAdd(clientX, clientY, { node: fromNode.id, port });
  };

  const onDoubleClick = (event: ReactMouseEvent) => {
    if (!editor.canEdit || !(event.target as Element).closest(".react-flow__pane")) return;
    quickAdd(event.clientX, event.clientY);
  };

  const onDragOver = (event: DragEvent) => {
    if (!event.dataTransfer.types.includes(TYPE_MIME)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    const over = wireUnder(event.clientX, event.clientY);
    if (over !== ui.get().over) ui.set({ over });
  };

  const onDrop = (event: DragEvent) => {
    const entry = editor.find(event.dataTransfer.getData(TYPE_MIME));
    if (!entry) return;
    event.preventDefault();
    const { x, y } = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
    const at: Point = [x - NODE_WIDTH / 2, y - NODE_HEIGHT / 2];
    const wire = wireOf(app, wireUnder(event.clientX, event.clientY) ?? "");
    ui.set({ over: null });
    if (wire && entry.has_input && entry.outputs.length > 0) editor.addInto(wire, entry, at);
    else editor.add(entry, at);
  };

  return (
    <div className="canvas" onDoubleClick={onDoubleClick} onDragOver={onDragOver} onDrop={onDrop}>
      <ReactFlow
        nodes={drawn.current.nodes}
        edges={drawn.current.edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={onNodesChange}
        onEdgesChange={onEdgesChange}
        onConnectEnd={onConnectEnd}
        onPaneClick={() => ui.set({ quickAdd: null })}
        onNodeClick={() => isPhone || ui.set({ inspector: true })}
        isValidConnection={({ source, sourceHandle, target }) =>
          whyNot(editor.document, { from: `${source}:${sourceHandle}`, to: target }, editor.find) ===
          null}
        nodesDraggable={editor.canEdit}
        nodesConnectable={editor.canEdit}
        selectNodesOnDrag={false}
        connectionLineType={ConnectionLineType.Bezier}
        connectionRadius={28}
        connectOnClick={editor.canEdit}
        snapToGrid
        snapGrid={[GRID, GRID]}
        selectionOnDrag={!isPhone}
        selectionMode={SelectionMode.Partial}
        panOnDrag={isPhone ? true : [1]}
        panOnScroll={!isPhone}
        zoomOnDoubleClick={false}
        deleteKeyCode={null}
        disableKeyboardA11y
        minZoom={0.1}
        maxZoom={2}
        fitView
        fitViewOptions={{ padding: 0.15, maxZoom: 1, minZoom: isPhone ? READABLE : undefined }}
        onlyRenderVisibleElements={doc.nodes.length > SHOWS_ALL_BELOW}
        proOptions={{ hideAttribution: true }}
        aria-label={`Flow ${doc.name}`}
      >
        <Background variant={BackgroundVariant.Dots} gap={GRID} size={1} />
        <CanvasTools />
        <KeepInView />
        {!isEmpty && !isPhone && !drawer && (
          <MiniMap
            pannable
            zoomable
            ariaLabel="Map of the flow"
            nodeColor={(node) => roleColour(editor.viewOf(node.id).role)}
            nodeBorderRadius={12}
          />
        )}
      </ReactFlow>
      {isEmpty && <EmptyCanvas />}
    </div>
  );
}
