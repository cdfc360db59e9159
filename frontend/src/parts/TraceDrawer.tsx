// What happened lately? The newest traces of this flow, live, and the steps of the selected one.
import { useCallback, useEffect, useMemo, useRef, useState, type PointerEvent } from "react";

import { htmx, keepDrawerHeight, showDrawer, useApp, useEditor, useLive, useUi } from "../app";
import { exact, short, STATES } from "../format";
import { countNew, renew, sift } from "../rows";
import type { Row, RowState } from "../types";
import { Icon } from "./Icon";
import { TraceTable } from "./TraceTable";

const LOWEST = 140;
const CONNECTION = {
  connecting: { state: "held", word: "Connecting…" },
  live: { state: "ok", word: "Live" },
  lost: { state: "held", word: "Reconnecting…" },
  refused: { state: "failed", word: "No access" },
} as const;

/** The line at the top that is dragged to size the drawer; arrow keys do the same. */
function Sizer() {
  const { ui } = useApp();
  const height = useUi((state) => state.drawerHeight);
  const size = (to: number) => {
    const fitting = Math.round(Math.max(LOWEST, Math.min(to, innerHeight * 0.75)));
    ui.set({ drawerHeight: fitting });
    keepDrawerHeight(fitting);
  };
  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    const line = event.currentTarget;
    const from = event.clientY + height;
    const move = (moved: globalThis.PointerEvent) => size(from - moved.clientY);
    line.setPointerCapture(event.pointerId);
    line.addEventListener("pointermove", move);
    line.addEventListener("lostpointercapture", () => line.removeEventListener("pointermove", move), {
      once: true,
    });
  };
  return (
    <div
      className="drawer-sizer"
      role="separator"
      aria-orientation="horizontal"
      aria-label="Height of the traces"
      aria-valuenow={height}
      aria-valuemin={LOWEST}
      aria-valuemax={Math.round(innerHeight * 0.75)}
      tabIndex={0}
      onPointerDown={onPointerDown}
      onKeyDown={(event) => {
        const step = { ArrowUp: 40, ArrowDown: -40 }[event.key];
        if (!step) return;
        event.preventDefault();
        size(height + step);
      }}
    />
  );
}

/** Shows a trace's steps, and its way on the canvas. */
function useTrace() {
  const { editor } = useApp();
  const open = useCallback(
    (id: string | null, path: readonly string[] = []) => {
      editor.store.set({ trace: id, trail: path });
      const url = new URL(location.href);
      if (id) url.searchParams.set("trace", id);
      else url.searchParams.delete("trace");
      history.replaceState(history.state, "", url);
    },
    [editor],
  );
  const trace = useEditor((state) => state.trace);
  useEffect(() => {
    if (!trace) return;
    const url = editor.data.urls.trace.replace(/\{id\}|%7Bid%7D/, encodeURIComponent(trace));
    // The steps may tell the way of a trace that isn't among the rows: data-path="in big vat".
    void htmx()
      ?.ajax("GET", url, { target: "#trace-detail", swap: "innerHTML" })
      .then(() => {
        const told = document.querySelector<HTMLElement>("#trace-detail [data-path]")?.dataset.path;
        if (told && editor.store.get().trace === trace) editor.store.set({ trail: told.split(" ") });
      });
  }, [editor, trace]);
  return { trace, open };
}

export function TraceDrawer() {
  const { ui } = useApp();
  const height = useUi((state) => state.drawerHeight);
  const rows = useLive((state) => state.rows);
  const skipped = useLive((state) => state.skipped);
  const lag = useLive((state) => state.lag);
  const connection = CONNECTION[useLive((state) => state.connection)];
  // Held by the button, by a trace being read, or while the pointer is over the list: no row runs
  // away from it.
  const [frozen, setFrozen] = useState<readonly Row[] | null>(null);
  const [isHeld, setHeld] = useState(false);
  const [states, setStates] = useState<ReadonlySet<RowState>>(new Set());
  const [text, setText] = useState("");
  const { trace, open } = useTrace();
  const linked = useRef(new URLSearchParams(location.search).get("trace"));

  useEffect(() => {
    if (linked.current) open(linked.current);
  }, [open]);
  useEffect(() => {
    const row = rows.find((one) => one.id === linked.current);
    if (!row) return;
    linked.current = null;
    open(row.id, row.path);
  }, [rows, open]);

  const shown = useMemo(
    () => sift(frozen ? renew(frozen, rows) : rows, states, text),
    [frozen, rows, states, text],
  );
  const toggle = (state: RowState) => {
    const next = new Set(states);
    if (!next.delete(state)) next.add(state);
    setStates(next);
  };
  const { live } = useApp();
  const hold = useCallback(
    (isOn: boolean) => {
      setHeld(isOn);
      setFrozen((now) => (isOn ? (now ?? live.store.get().rows) : null));
    },
    [live],
  );
  const select = useCallback(
    (id: string, path: readonly string[]) => {
      hold(true);
      open(id, path);
    },
    [hold, open],
  );
  const fresh = frozen ? countNew(rows, frozen) : 0;
  return (
    <section className="traces" aria-label="Traces" style={{ height }}>
      <Sizer />
      <header className="traces-head">
        <h2>Traces</h2>
        <span className="connection" data-state={connection.state} role="status">
          {connection.word}
        </span>
        {lag > 0 && <span className="faint">{exact(lag)} waiting to run</span>}
        <span className="head-gap" />
        {skipped > 0 && (
          <span className="faint" title="They ran, and can be found under All traces">
            {exact(skipped)} not shown
          </span>
        )}
        <span className="state-filters" role="group" aria-label="Show only">
          {(Object.keys(STATES) as RowState[]).map((state) => (
            <button
              key={state}
              className="chip"
              aria-pressed={states.has(state)}
              onClick={() => toggle(state)}
            >
              {STATES[state].word}
            </button>
          ))}
        </span>
        <input
          className="traces-filter"
          type="search"
          placeholder="Filter"
          aria-label="Filter by type, key, node or error"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <button
          className="button small traces-pause"
          aria-pressed={frozen !== null}
          title={frozen ? "Go on showing new traces" : "Hold the list still"}
          onClick={() => hold(frozen === null)}
        >
          <Icon name={frozen ? "play" : "pause"} size="s" />
          {frozen ? `${short(fresh)} new` : "Hold"}
        </button>
        <button
          className="button quiet icon-only small"
          aria-label="Hide traces"
          title="Hide traces (L)"
          onClick={() => showDrawer(ui, false)}
        >
          <Icon name="chevron-down" />
        </button>
      </header>
      <div className="traces-body">
        <TraceTable
          rows={shown}
          isFiltered={rows.length > 0}
          selected={trace}
          onSelect={select}
          onHover={(isOver) => isHeld || setFrozen(isOver ? rows : null)}
        />
        {trace && (
          <aside className="trace-side" aria-label="Steps of the trace">
            <header>
              <code>{trace}</code>
              <button
                className="button quiet icon-only small"
                aria-label="Close the trace"
                onClick={() => {
                  hold(false);
                  open(null);
                }}
              >
                <Icon name="x" />
              </button>
            </header>
            <div id="trace-detail" />
          </aside>
        )}
      </div>
    </section>
  );
}
