// How is a node added right where the pointer is? A small searchable list, at home on the keyboard.
import { useEffect, useRef, useState, type KeyboardEvent } from "react";

import { useApp, useUi, type QuickAdd } from "../app";
import { search } from "../catalog";
import type { CatalogEntry } from "../types";
import { Icon } from "./Icon";

const WIDTH = 264;
const HEIGHT = 320;

function Menu({ menu }: { menu: QuickAdd }) {
  const { editor, ui } = useApp();
  const [text, setText] = useState("");
  const [index, setIndex] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const wanted = editor.data.catalog.filter((entry) => !menu.from || entry.has_input);
  const found = search(wanted, text);

  useEffect(() => {
    input.current?.focus();
  }, []);
  useEffect(() => {
    list.current?.children[index]?.scrollIntoView({ block: "nearest" });
  }, [index]);

  const close = () => ui.set({ quickAdd: null });
  const choose = (entry: CatalogEntry | undefined) => {
    if (!entry) return;
    editor.add(entry, menu.at, menu.from?.node ?? null, menu.from?.port);
    close();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length > 0) setIndex((index + step + found.length) % found.length);
    else if (event.key === "Enter") choose(found[index]);
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.preventDefault();
  };
  const left = Math.max(8, Math.min(menu.left, innerWidth - WIDTH - 8));
  const top = Math.max(8, Math.min(menu.top, innerHeight - HEIGHT - 8));
  return (
    <div className="quick-add" style={{ left, top }} role="dialog" aria-label="Add a node">
      <div className="search">
        <Icon name="search" size="s" />
        <input
          ref={input}
          type="search"
          role="combobox"
          aria-expanded="true"
          aria-controls="quick-add-list"
          aria-activedescendant={found[index] && `quick-${found[index].type}`}
          aria-label="Find a node to add"
          placeholder={menu.from ? "What comes next?" : "Find a node"}
          autoComplete="off"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setIndex(0);
          }}
          onKeyDown={onKeyDown}
          onBlur={close}
        />
      </div>
      <ul id="quick-add-list" role="listbox" aria-label="Nodes" ref={list}>
        {found.map((entry, place) => (
          <li
            key={entry.type}
            id={`quick-${entry.type}`}
            role="option"
            aria-selected={place === index}
            className="palette-item"
            data-role={entry.role}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => choose(entry)}
          >
            <span className="node-icon">
              <Icon name={entry.icon} size="s" />
            </span>
            <span className="palette-label">{entry.label}</span>
            <span className="palette-note">{entry.summary}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="palette-none">No node fits “{text}”.</p>}
    </div>
  );
}

export function QuickAddMenu() {
  const menu = useUi((state) => state.quickAdd);
  return menu && <Menu key={`${menu.left} ${menu.top}`} menu={menu} />;
}
