// What must the user decide or know before going on? A save that didn't work, or lost access.
import { useApp, useEditor, useLive } from "../app";
import { Icon } from "./Icon";

export function Banner() {
  const { saver } = useApp();
  const save = useEditor((state) => state.save);
  const connection = useLive((state) => state.connection);
  if (save.kind === "stale") {
    return (
      <div className="banner" role="alert">
        <Icon name="users" />
        <span>Somebody else changed this flow while you did. Which one shall stay?</span>
        <button
          className="button small"
          onClick={() => {
            saver.discard();
            location.reload();
          }}
        >
          Load theirs
        </button>
        <button className="button small" onClick={() => void saver.keepMine()}>
          Keep mine
        </button>
      </div>
    );
  }
  if (save.kind === "refused") {
    return (
      <div className="banner" role="alert" data-kind="failed">
        <Icon name="circle-alert" />
        <span>Not saved. {save.says}</span>
        <button className="button small" onClick={() => void saver.flush()}>
          Try again
        </button>
      </div>
    );
  }
  if (connection === "refused") {
    return (
      <div className="banner" role="alert" data-kind="failed">
        <Icon name="lock" />
        <span>You no longer have access to this flow. Ask an owner of the workspace.</span>
      </div>
    );
  }
  return null;
}
