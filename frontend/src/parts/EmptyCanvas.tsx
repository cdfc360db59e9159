// What does an empty flow teach? The one next action: where events come from.
import { useApp } from "../app";
import { focusSoon } from "../commands";
import { Icon } from "./Icon";

const FIRST_CHOICES = 3;

export function EmptyCanvas() {
  const { editor, ui } = useApp();
  if (!editor.canEdit) {
    return (
      <div className="canvas-empty">
        <h2>This flow is empty</h2>
        <p>Somebody who may edit it has to add the first node.</p>
      </div>
    );
  }
  const producers = editor.data.catalog.filter((entry) => entry.role === "producer");
  return (
    <div className="canvas-empty">
      <h2>Where do the events come from?</h2>
      <p>A flow starts with a producer. Choose one; filters and consumers come after it.</p>
      <div className="first-choices">
        {producers.slice(0, FIRST_CHOICES).map((entry) => (
          <button
            key={entry.type}
            className="first-choice"
            data-role={entry.role}
            onClick={() => editor.add(entry, [0, 0])}
          >
            <span className="node-icon">
              <Icon name={entry.icon} size="l" />
            </span>
            <strong>{entry.label}</strong>
            <span>{entry.summary}</span>
          </button>
        ))}
      </div>
      <button
        className="button quiet"
        onClick={() => {
          ui.set({ palette: true });
          focusSoon("#palette-search");
        }}
      >
        Search all nodes <kbd>N</kbd>
      </button>
    </div>
  );
}
