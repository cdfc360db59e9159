// How is one trace told in one line? Time, state, type, key, path, and how long it took.
import { memo, useEffect, useRef, useState, type KeyboardEvent } from "react";

import { nameOf, useApp, useDocument } from "../app";
import { duration, STATES, timeInFull, timeOfDay } from "../format";
import { ROWS_KEPT } from "../rows";
import type { FlowDocument, Row } from "../types";
import { Icon } from "./Icon";

const CHIPS = 5;
const ROWS_AT_FIRST = 100;
const LONGEST_MS = 60_000;

type Select = (id: string, path: readonly string[]) => void;

/** How much of the bar a duration fills. The scale is fixed, so no bar changes when rows come. */
const share = (ms: number): number =>
  Math.min(100, (Math.log10(1 + ms) / Math.log10(1 + LONGEST_MS)) * 100);

function Path({ row, doc }: { row: Row; doc: FlowDocument }) {
  const cut = row.path.length > CHIPS;
  const ids = cut ? [...row.path.slice(0, 2), "…", ...row.path.slice(-2)] : row.path;
  const title = row.path.map((id) => nameOf(doc, id)).join(" → ");
  return (
    <ol className="path" title={title}>
      {ids.map((id, index) => {
        const isEnd = index === ids.length - 1 && row.state === "failed";
        return (
          <li key={index} data-state={isEnd ? row.state : undefined}>
            {nameOf(doc, id)}
          </li>
        );
      })}
    </ol>
  );
}

const TraceLine = memo(function TraceLine(props: {
  row: Row;
  doc: FlowDocument;
  isSelected: boolean;
  isReachable: boolean;
  onSelect: Select;
}) {
  const { row, doc, isSelected, isReachable, onSelect } = props;
  const line = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    if (isSelected) line.current?.scrollIntoView({ block: "nearest" });
  }, [isSelected]);
  const { word, icon } = STATES[row.state];
  return (
    <tr
      ref={line}
      aria-selected={isSelected}
      tabIndex={isReachable ? 0 : -1}
      onClick={() => onSelect(row.id, row.path)}
    >
      <td className="mono" title={timeInFull(row.at)}>
        {timeOfDay(row.at)}
      </td>
      <td>
        <span className="state" data-state={row.state}>
          <Icon name={icon} /> {word}
        </span>
      </td>
      <td className="clip" title={row.type}>
        {row.type}
      </td>
      <td className="clip mono" title={row.key ?? ""}>
        {row.key}
      </td>
      <td className="clip">
        {row.error ? (
          <span className="row-error" title={row.error}>
            <Path row={row} doc={doc} />
            <span>{row.error}</span>
          </span>
        ) : (
          <Path row={row} doc={doc} />
        )}
      </td>
      <td className="row-duration" title="Bars share one logarithmic scale up to 1 min">
        <span className="num">{duration(row.ms)}</span>
        <svg className="bar" aria-hidden="true">
          {row.ms !== null && <rect width={`${share(row.ms)}%`} data-state={row.state} />}
        </svg>
      </td>
    </tr>
  );
});

export function TraceTable(props: {
  rows: readonly Row[];
  isFiltered: boolean;
  selected: string | null;
  onSelect: Select;
  onHover: (isOver: boolean) => void;
}) {
  const { rows, selected, onSelect, onHover } = props;
  const { editor } = useApp();
  const doc = useDocument();
  const [limit, setLimit] = useState(ROWS_AT_FIRST);
  const here = rows.findIndex((row) => row.id === selected);
  const onKeyDown = (event: KeyboardEvent<HTMLTableSectionElement>) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const focused = [...event.currentTarget.children].indexOf(event.target as Element);
    const to =
      event.key === "Enter" ? focused : step ? (here < 0 ? focused : here) + step : undefined;
    const row = to === undefined ? undefined : rows[to];
    if (to === undefined || !row) return;
    event.preventDefault();
    onSelect(row.id, row.path);
    (event.currentTarget.children[to] as HTMLElement | undefined)?.focus();
  };
  if (rows.length === 0) {
    return (
      <div className="traces-none">
        {props.isFiltered ? (
          <p>No trace fits the filter.</p>
        ) : (
          <p>
            {editor.store.get().published
              ? "No events yet. Send one with Try, and its way appears here."
              : "Publish the flow, then send an event with Try: its way appears here."}
          </p>
        )}
      </div>
    );
  }
  return (
    <div
      className="traces-scroll"
      onPointerEnter={() => onHover(true)}
      onPointerLeave={() => onHover(false)}
    >
      <table className="table trace-table">
        <thead>
          <tr>
            <th className="col-time">Time</th>
            <th className="col-state">State</th>
            <th className="col-type">Type</th>
            <th className="col-key">Key</th>
            <th>Path</th>
            <th className="col-duration">Duration</th>
          </tr>
        </thead>
        <tbody onKeyDown={onKeyDown}>
          {rows.slice(0, limit).map((row, index) => (
            <TraceLine
              key={row.id}
              row={row}
              doc={doc}
              isSelected={row.id === selected}
              isReachable={here < 0 ? index === 0 : index === here}
              onSelect={onSelect}
            />
          ))}
        </tbody>
      </table>
      {rows.length > limit && (
        <button className="button quiet small traces-more" onClick={() => setLimit(ROWS_KEPT)}>
          Show {rows.length - limit} older
        </button>
      )}
    </div>
  );
}
