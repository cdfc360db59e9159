// What else can be done with a flow? The rarer things, behind one button.
import { useApp } from "../app";
import { Icon } from "./Icon";

export function MoreMenu() {
  const { editor, ui } = useApp();
  const { urls, canEdit } = editor.data;
  const link = (icon: string, label: string, href: string, className?: string) => (
    <a href={href} className={className}>
      <Icon name={icon} /> {label}
    </a>
  );
  return (
    <details className="menu">
      <summary className="button icon-only" aria-label="More" title="More">
        <Icon name="ellipsis" />
      </summary>
      <div className="menu-list">
        {link("history", "Versions", urls.versions)}
        {link("route", "All traces", urls.traces)}
        {link("download", "Export", urls.export)}
        {canEdit && link("upload", "Import", urls.import)}
        <button
          type="button"
          onClick={(event) => {
            event.currentTarget.closest("details")?.removeAttribute("open");
            ui.set({ help: true });
          }}
        >
          <Icon name="command" /> Keyboard
        </button>
        {canEdit && urls.delete && <hr />}
        {canEdit && urls.delete && link("trash-2", "Delete flow", urls.delete, "is-danger")}
      </div>
    </details>
  );
}
