// Which questions and explanations come up in a dialog? A publish's choices, and the keys.
import { useEffect, useRef, type ReactNode } from "react";

import { useApp, useUi } from "../app";
import { HELP } from "../keys";
import { publish } from "../server";
import { Icon } from "./Icon";

function Dialog(props: { label: string; wide?: boolean; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      className={props.wide ? "dialog dialog-wide" : "dialog"}
      aria-label={props.label}
      onClose={props.onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      {props.children}
    </dialog>
  );
}

const LOSING = ["drop", "expire"]; // choices that nothing brings back

function choiceClass(value: string, index: number): string {
  if (LOSING.includes(value)) return "button losing";
  return index === 0 ? "button primary" : "button";
}

function ChoiceDialog() {
  const app = useApp();
  const choices = useUi((state) => state.choices);
  if (!choices) return null;
  const close = () => app.ui.set({ choices: null });
  return (
    <Dialog label={choices.title} onClose={close}>
      <header>
        <h2>{choices.title}</h2>
      </header>
      <div className="dialog-body">{choices.detail}</div>
      <footer className="actions">
        <button className="button" onClick={close}>
          Cancel
        </button>
        {choices.choices.map(({ value, label }, index) => (
          <button
            key={value}
            className={choiceClass(value, index)}
            onClick={() => void publish(app, { ...choices.given, [choices.field]: value })}
          >
            {label}
          </button>
        ))}
      </footer>
    </Dialog>
  );
}

function HelpDialog() {
  const { ui } = useApp();
  const isOpen = useUi((state) => state.help);
  if (!isOpen) return null;
  const close = () => ui.set({ help: false });
  return (
    <Dialog label="Keyboard" wide onClose={close}>
      <header className="help-head">
        <h2>Keyboard</h2>
        <button className="button quiet icon-only small" aria-label="Close" onClick={close}>
          <Icon name="x" />
        </button>
      </header>
      <div className="dialog-body help-keys">
        {HELP.map(([title, keys]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {keys.map(([key, does]) => (
                <div key={key}>
                  <dt>
                    <kbd>{key}</kbd>
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}

export function Dialogs() {
  return (
    <>
      <ChoiceDialog />
      <HelpDialog />
    </>
  );
}
