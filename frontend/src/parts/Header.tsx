// What does the flow's head say and offer? Its name, its state, and what can be done with it whole.
import { useEffect, useRef, useState } from "react";

import { useApp, useEditor, useUi } from "../app";
import { plural } from "../format";
import { publish, setPaused, tryIt } from "../server";
import { Icon } from "./Icon";
import { MoreMenu } from "./MoreMenu";

function FlowName() {
  const { editor } = useApp();
  const name = useEditor((state) => state.history.present.name);
  const [text, setText] = useState(name);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => setText(name), [name]);
  if (!editor.canEdit) return <h1 className="flow-name">{name}</h1>;
  return (
    <h1 className="flow-name" data-value={text || " "}>
      <input
        ref={input}
        aria-label="Name of the flow"
        value={text}
        size={1}
        maxLength={200}
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => {
          editor.rename(text);
          setText(editor.document.name);
        }}
        onKeyDown={(event) => {
          if (event.key === "Escape") setText(name);
          if (event.key === "Enter" || event.key === "Escape") {
            requestAnimationFrame(() => input.current?.blur());
          }
        }}
      />
    </h1>
  );
}

function StatePill() {
  const published = useEditor((state) => state.published);
  const paused = useEditor((state) => state.paused);
  if (!published) {
    return (
      <span className="state" data-state="draft" title="Never published: it receives no events yet">
        <Icon name="pencil" /> Draft
      </span>
    );
  }
  const changes = published.changes > 0 && (
    <span className="pill">{plural(published.changes, "unpublished change")}</span>
  );
  return (
    <>
      <span className="state" data-state={paused ? "paused" : "ok"}>
        <Icon name={paused ? "pause" : "circle-check"} />
        {paused ? `Paused v${published.number}` : `Published v${published.number}`}
      </span>
      {changes}
    </>
  );
}

function SaveText() {
  const { editor } = useApp();
  const save = useEditor((state) => state.save);
  if (!editor.data.canEdit) return <span className="save-text">View only</span>;
  const words = {
    saved: "Saved",
    unsaved: "Saving…",
    saving: "Saving…",
    retrying: "Not saved – retrying",
    stale: "Not saved",
    refused: "Not saved",
  }[save.kind];
  const isBad = words.startsWith("Not");
  return (
    <span className="save-text" data-bad={isBad || undefined}>
      {isBad && <Icon name="cloud" size="s" />}
      {words}
    </span>
  );
}

function ProblemsButton() {
  const { ui } = useApp();
  const problems = useEditor((state) => state.problems);
  const isOpen = useUi((state) => state.problems);
  if (problems.length === 0) return null;
  const errors = problems.filter((problem) => problem.level === "error").length;
  return (
    <button
      className="button quiet problems-button"
      data-bad={errors > 0 || undefined}
      aria-expanded={isOpen}
      title="Show problems (P)"
      onClick={() => ui.set({ problems: !isOpen })}
    >
      <Icon name={errors > 0 ? "circle-alert" : "triangle-alert"} />
      {errors > 0 ? plural(errors, "problem") : plural(problems.length, "hint")}
    </button>
  );
}

function UndoRedo() {
  const { editor } = useApp();
  const canUndo = useEditor((state) => state.history.past.length > 0);
  const canRedo = useEditor((state) => state.history.future.length > 0);
  const button = (icon: string, label: string, isOn: boolean, act: () => void) => (
    <button
      className="button quiet icon-only"
      aria-label={label}
      title={label}
      disabled={!isOn}
      onClick={act}
    >
      <Icon name={icon} />
    </button>
  );
  return (
    <span className="undo-redo">
      {button("undo-2", "Undo (Ctrl Z)", canUndo, () => editor.undo())}
      {button("redo-2", "Redo (Ctrl Shift Z)", canRedo, () => editor.redo())}
    </span>
  );
}

export function Header() {
  const app = useApp();
  const { canEdit, canOperate } = app.editor.data;
  const busy = useUi((state) => state.busy);
  const published = useEditor((state) => state.published);
  const paused = useEditor((state) => state.paused);
  const isPhone = app.isPhone;
  return (
    <header className="editor-head">
      <FlowName />
      <StatePill />
      <SaveText />
      <span className="head-gap" />
      <ProblemsButton />
      {app.editor.canEdit && <UndoRedo />}
      {canOperate && (
        <button
          className="button"
          aria-busy={busy === "try"}
          title="Send one test event through the flow (Ctrl Enter)"
          onClick={() => void tryIt(app)}
        >
          <Icon name="play" /> Try
        </button>
      )}
      {canOperate && published && !isPhone && (
        <button
          className="button"
          aria-busy={busy === "state"}
          title={paused ? "Take up work again" : "Stop taking events; they wait in their channels"}
          onClick={() => void setPaused(app, !paused)}
        >
          <Icon name={paused ? "circle-play" : "pause"} /> {paused ? "Resume" : "Pause"}
        </button>
      )}
      {canEdit && !isPhone && (
        <button
          className="button primary"
          aria-busy={busy === "publish"}
          disabled={published?.changes === 0}
          title={published?.changes === 0 ? "Nothing has changed" : "Publish (Shift P)"}
          onClick={() => void publish(app)}
        >
          <Icon name="rocket" /> Publish
        </button>
      )}
      <MoreMenu />
    </header>
  );
}
