// What does the editor ask of the server besides saving? Publish, pause, try; and what a save's
// answer means.
import { toast, type App, type Choices } from "./app";
import { saysOf, send, type Answer } from "./http";
import type { Outcome } from "./save";
import type { FlowDocument, Problem, Saved } from "./types";

/** Sends the draft. 412 means that somebody else saved in the meantime. */
export async function saveDraft(
  url: string,
  document: FlowDocument,
  match: string,
): Promise<Outcome> {
  const answer = await send("PUT", url, { document }, { "If-Match": match });
  if (answer.ok) return { kind: "saved", saved: answer.body as unknown as Saved };
  if (answer.status === 412) {
    const { revision } = answer.body;
    const theirs = typeof revision === "number" ? `"${revision}"` : (answer.etag ?? "*");
    return { kind: "stale", match: theirs };
  }
  if (answer.status >= 500) throw new Error(saysOf(answer));
  return { kind: "refused", says: saysOf(answer) };
}

function choicesOf(answer: Answer): Choices {
  const { title, choices, field } = answer.body;
  return {
    title: typeof title === "string" ? title : "Choose how to go on",
    detail: saysOf(answer),
    field: typeof field === "string" ? field : "choice",
    choices: Array.isArray(choices) ? (choices as Choices["choices"]) : [],
    given: {},
  };
}

/** Runs one request at a time, with its button busy; a broken line becomes a toast. */
async function busily(app: App, what: "publish" | "try" | "state", act: () => Promise<void>) {
  if (app.ui.get().busy) return;
  app.ui.set({ busy: what });
  try {
    await act();
  } catch {
    toast("The server didn't answer. Check the connection and try again.", "failed");
  } finally {
    app.ui.set({ busy: null });
  }
}

export function publish(app: App, extra: Readonly<Record<string, string>> = {}): Promise<void> {
  const { editor, saver, ui } = app;
  return busily(app, "publish", async () => {
    if (!(await saver.flush())) {
      toast("Not published: the latest changes aren't saved yet.", "failed");
      return;
    }
    const answer = await send("POST", editor.data.urls.publish, extra);
    if (answer.ok) {
      const number = Number(answer.body.number);
      editor.store.set({ published: { number, changes: 0 }, said: `Published version ${number}.` });
      if (!app.isPhone) app.ui.set({ drawer: true }); // where its first events will show
      ui.set({ choices: null, problems: false });
      toast(`Published version ${number}`, "ok");
    } else if (answer.status === 422) {
      const problems = answer.body.problems;
      if (Array.isArray(problems)) editor.store.set({ problems: problems as Problem[] });
      ui.set({ problems: true, choices: null });
      editor.store.set({ said: saysOf(answer) });
    } else if (answer.status === 409 && Array.isArray(answer.body.choices)) {
      ui.set({ choices: { ...choicesOf(answer), given: extra } });
    } else {
      toast(saysOf(answer), "failed");
    }
  });
}

export function setPaused(app: App, paused: boolean): Promise<void> {
  return busily(app, "state", async () => {
    const answer = await send("POST", app.editor.data.urls.state, { paused });
    if (answer.ok) {
      app.editor.store.set({ paused, said: paused ? "Paused." : "Running again." });
      toast(paused ? "Paused. Events wait in their channels." : "Running again", "ok");
    } else {
      toast(saysOf(answer), "failed");
    }
  });
}

export function tryIt(app: App): Promise<void> {
  return busily(app, "try", async () => {
    await app.saver.flush();
    const answer = await send("POST", app.editor.data.urls.try, {});
    if (!answer.ok) {
      toast(saysOf(answer), "failed");
      return;
    }
    const [event] = Array.isArray(answer.body.events) ? answer.body.events : [];
    const href: unknown = answer.body.trace_url ?? event?.trace_url ?? answer.body.url;
    toast("Test event sent", "ok", typeof href === "string" ? href : undefined, "Open trace");
  });
}
