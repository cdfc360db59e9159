// The bundle's entry: mounts the editor where the page has a place for it.
import "@xyflow/react/dist/base.css";

import { mountEditor } from "./mount";
import type { EditorData } from "./types";

const place = document.getElementById("editor");
const data = document.getElementById("editor-data")?.textContent;
if (place && data) mountEditor(place, JSON.parse(data) as EditorData);

export { mountEditor };
