// What stands in the way of publishing? A list; choosing an entry goes to its node.
import { useReactFlow } from "@xyflow/react";

import { nameOf, useApp, useDocument, useEditor, useUi } from "../app";
import { goTo } from "../commands";
import { Icon } from "./Icon";

export function Problems() {
  const app = useApp();
  const flow = useReactFlow();
  const doc = useDocument();
  const problems = useEditor((state) => state.problems);
  const isOpen = useUi((state) => state.problems);
  if (!isOpen) return null;
  return (
    <section className="problems" aria-label="Problems">
      <header>
        <h2>{problems.length > 0 ? "To mend before publishing" : "No problems"}</h2>
        <button
          className="button quiet icon-only small"
          aria-label="Close"
          onClick={() => app.ui.set({ problems: false })}
        >
          <Icon name="x" />
        </button>
      </header>
      {problems.length === 0 && <p>The flow can be published.</p>}
      <ul>
        {problems.map((problem, index) => (
          <li key={index} data-level={problem.level}>
            <button
              disabled={!problem.node}
              onClick={() => {
                app.ui.set({ inspector: true });
                goTo(app, flow, problem.node);
              }}
            >
              <Icon name={problem.level === "error" ? "circle-alert" : "triangle-alert"} />
              <span>
                <strong>{problem.node ? nameOf(doc, problem.node) : "The flow"}</strong>
                {problem.says}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
