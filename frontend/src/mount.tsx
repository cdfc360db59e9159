// How does the editor come to life on a page? `mountEditor(element, data)`; the page may hold it
// ready as <div id="editor" data-icons="…"> and <script type="application/json" id="editor-data">.
import { ReactFlowProvider } from "@xyflow/react";
import { createRoot } from "react-dom/client";

import { AppContext, newUi, type App } from "./app";
import { Editor } from "./editor";
import { csrfToken } from "./http";
import { Live } from "./live";
import { Workbench } from "./parts/Workbench";
import { Saver } from "./save";
import { saveDraft } from "./server";
import { follow, socketUrl } from "./socket";
import { inlineSprite } from "./sprite";
import type { EditorData } from "./types";

const PHONE = "(max-width: 720px)";
const TICK_MS = 1000;

function makeApp(element: HTMLElement, data: EditorData): App {
  const isPhone = matchMedia(PHONE).matches;
  const editor = new Editor(data, data.canEdit && !isPhone);
  const saver = new Saver(data.revision, {
    send: (document, match) => saveDraft(data.urls.draft, document, match),
    onState: (save) => editor.store.set({ save }),
    onSaved: (saved) => editor.accept(saved),
  });
  editor.saveWith(saver);
  const sprite = element.dataset.icons ?? "/static/img/icons.svg";
  const ui = newUi(isPhone, `${sprite}#`, data.published !== null);
  inlineSprite(sprite).then(
    (icons) => ui.set({ icons }),
    () => {}, // the icons in the file go on serving
  );
  return { editor, live: new Live(), ui, saver, isPhone };
}

/** Draws the editor into `element` and keeps it saved and live. Returns what ends it. */
export function mountEditor(element: HTMLElement, data: EditorData): () => void {
  const app = makeApp(element, data);
  const { live, saver } = app;
  const root = createRoot(element);
  root.render(
    <AppContext value={app}>
      <ReactFlowProvider>
        <Workbench />
      </ReactFlowProvider>
    </AppContext>,
  );
  const hangUp = follow({
    url: socketUrl(data.urls.socket, location.href),
    onFrame: (frame) => live.take(frame, performance.now()),
    onConnection: (connection) => live.store.set({ connection }),
  });
  const ticking = setInterval(() => live.tick(performance.now()), TICK_MS);
  const warn = (event: BeforeUnloadEvent) => {
    if (!saver.isDirty) return;
    void saver.flush();
    event.preventDefault();
  };
  const sign = (event: Event) => {
    const { headers } = (event as CustomEvent<{ headers: Record<string, string> }>).detail;
    headers["X-CSRFToken"] ??= csrfToken();
  };
  window.addEventListener("beforeunload", warn);
  document.body.addEventListener("htmx:configRequest", sign);
  return () => {
    hangUp();
    clearInterval(ticking);
    window.removeEventListener("beforeunload", warn);
    document.body.removeEventListener("htmx:configRequest", sign);
    root.unmount();
  };
}
