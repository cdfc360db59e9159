// How do the parts of the editor lie beside each other?
import { useApp, useEditor, useUi } from "../app";
import { useCommands } from "../commands";
import { Banner } from "./Banner";
import { Canvas } from "./Canvas";
import { Dialogs } from "./Dialogs";
import { Header } from "./Header";
import { Icon } from "./Icon";
import { Inspector } from "./Inspector";
import { Palette } from "./Palette";
import { Problems } from "./Problems";
import { QuickAddMenu } from "./QuickAddMenu";
import { TraceDrawer } from "./TraceDrawer";

function PaletteOrButton() {
  const { editor, ui } = useApp();
  const isOpen = useUi((state) => state.palette);
  if (!editor.canEdit) return null;
  if (isOpen) return <Palette />;
  return (
    <button
      className="button icon-only palette-open"
      aria-label="Show the palette"
      title="Add nodes (N)"
      onClick={() => ui.set({ palette: true })}
    >
      <Icon name="plus" />
    </button>
  );
}

export function Workbench() {
  const said = useEditor((state) => state.said);
  const hasDrawer = useUi((state) => state.drawer);
  useCommands();
  return (
    <div className="editor">
      <Header />
      <Banner />
      <div className="editor-body">
        <PaletteOrButton />
        <div className="editor-middle">
          <Canvas />
          <Problems />
        </div>
        <Inspector />
      </div>
      {hasDrawer && <TraceDrawer />}
      <QuickAddMenu />
      <Dialogs />
      <p className="hidden-text" role="status" aria-live="polite">
        {said}
      </p>
    </div>
  );
}
