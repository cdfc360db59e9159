// How are nodes found and added? By role, by search; with Enter, a click, or a drag.
import { useReactFlow } from "@xyflow/react";
import { useState, type DragEvent, type KeyboardEvent } from "react";

import { useApp } from "../app";
import { ROLES, search } from "../catalog";
import { centre } from "../commands";
import type { CatalogEntry } from "../types";
import { Icon } from "./Icon";

export const TYPE_MIME = "application/x-eventflow-type";

/** Moves the keyboard among the entries. */
function walk(event: KeyboardEvent<HTMLElement>) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const items = [...event.currentTarget.querySelectorAll<HTMLElement>("input, .palette-item")];
  const here = items.indexOf(document.activeElement as HTMLElement);
  items[(here + step + items.length) % items.length]?.focus();
}

export function Palette() {
  const { editor, ui } = useApp();
  const flow = useReactFlow();
  const [text, setText] = useState("");
  const found = search(editor.data.catalog, text);

  const add = (entry: CatalogEntry) => {
    const [only, ...others] = editor.store.get().nodes;
    const after = others.length === 0 && entry.has_input ? (only ?? null) : null;
    editor.add(entry, after ? null : centre(flow), after);
  };
  const onEnter = (event: KeyboardEvent) => {
    if (event.key === "Enter" && found[0] && text.trim()) {
      add(found[0]);
      setText("");
    }
    if (event.key === "Escape") {
      setText("");
      (event.target as HTMLElement).blur();
    }
  };
  const onDragStart = (event: DragEvent, entry: CatalogEntry) => {
    event.dataTransfer.setData(TYPE_MIME, entry.type);
    event.dataTransfer.effectAllowed = "copy";
  };
  const item = (entry: CatalogEntry) => (
    <li key={entry.type}>
      <button
        className="palette-item"
        data-role={entry.role}
        draggable
        title={entry.summary}
        onDragStart={(event) => onDragStart(event, entry)}
        onDragEnd={() => ui.set({ over: null })}
        onClick={() => add(entry)}
      >
        <span className="node-icon">
          <Icon name={entry.icon} size="s" />
        </span>
        <span className="palette-label">{entry.label}</span>
      </button>
    </li>
  );
  return (
    <nav className="palette" aria-label="Nodes" onKeyDown={walk}>
      <div className="palette-head">
        <div className="search palette-search">
          <Icon name="search" size="s" />
          <input
            id="palette-search"
            type="search"
            placeholder="Find a node"
            aria-label="Find a node to add"
            autoComplete="off"
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={onEnter}
          />
          <kbd>N</kbd>
        </div>
        <button
          className="button quiet icon-only small"
          aria-label="Fold the palette"
          title="Fold the palette"
          onClick={() => ui.set({ palette: false })}
        >
          <Icon name="chevrons-left" />
        </button>
      </div>
      <div className="palette-list">
        {ROLES.map(({ role, title }) => {
          const entries = found.filter((entry) => entry.role === role);
          return entries.length > 0 && (
            <section key={role} aria-label={title}>
              <h3>{title}</h3>
              <ul>{entries.map(item)}</ul>
            </section>
          );
        })}
        {found.length === 0 && <p className="palette-none">No node fits “{text}”.</p>}
      </div>
      <p className="palette-hint">Drag onto the canvas, or onto a wire to put it in between.</p>
    </nav>
  );
}
