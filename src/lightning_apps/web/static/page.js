// The page of an app: its tabs, and what there is to know about it.  Joins the parts; each knows only itself.

import { State } from "./state.js";
import { Tabs } from "./tabs.js";
import { Components } from "./components.js";
import { Logs } from "./logs.js";

const $ = (id) => document.getElementById(id);
const state = new State("api/v1/stream");
const tabs = new Tabs($("tabs"), $("nested"), $("frames"), state);
const tools = {
  components: new Components($("tree"), $("detail"), state),
  logs: new Logs($("whose"), $("follow"), $("search"), $("lines"), state),
};
const NAMES = { components: "Components", logs: "Logs" };
let shown = ""; // the tool that is open; "" for the tabs

function show(tool) {
  shown = tool;
  $("frames").hidden = tool !== "";
  tabs.active = tool === "";
  for (const name of Object.keys(tools)) {
    $(name).hidden = name !== tool;
    $(`tool-${name}`).setAttribute("aria-selected", String(name === tool));
    tools[name].active = name === tool;
  }
  tabs.draw();
  if (tool) tools[tool].draw();
}

for (const name of Object.keys(tools)) {
  const button = document.createElement("button");
  button.id = `tool-${name}`;
  button.textContent = NAMES[name];
  button.setAttribute("role", "tab");
  button.setAttribute("aria-selected", "false");
  button.onclick = () => { location.hash = `#!${name}`; };
  $("tools").append(button);
}

function follow() { // what the address says is open
  const said = decodeURIComponent(location.hash.slice(1));
  if (said.startsWith("!") && said.slice(1) in tools) return show(said.slice(1));
  tabs.choose(said);
  return show("");
}

const STAGES = { running: "running", stopping: "ending", failed: "failed", blocking: "waits to begin", restarting: "restarting" };

let asked = false, touched = [];
state.addEventListener("change", (event) => {
  touched = touched === null || event.detail === null ? null : touched.concat(event.detail);
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const now = touched;
    touched = [];
    const away = !state.connected && state.tree !== null;
    $("stage").dataset.state = away ? "away" : state.stage;
    $("stage").textContent = away ? "the app does not answer" : STAGES[state.stage] || state.stage;
    if (state.tree === null) return;
    tabs.update(now);
    if (!tabs.any && shown === "" && location.hash === "") show("components");
    else if (tabs.any && shown && location.hash === "") show("");
    if (shown) tools[shown].update(now);
  });
});
addEventListener("hashchange", follow);
follow();
