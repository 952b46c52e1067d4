// The page of an app: its tabs, and what there is to know about it.  Joins the parts; each knows only itself.

document.getElementById("late").remove();
import { State } from "./state.js";
import { Tabs } from "./tabs.js";
import { Components } from "./components.js";
import { Logs } from "./logs.js";

const $ = (id) => document.getElementById(id);
const state = new State("api/v1/stream");
const tabs = new Tabs($("tabs"), $("more"), $("nested"), $("frames"), state);
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

const ENDED = { stopping: "has ended", failed: "has failed" };
const SAID = {
  entry: "This page may not look at the app (any more): open the link that ends in ?token=… once again. It is printed where the app is started.",
  stream: "Changes are shown every few seconds only: something between here and the app lets no WebSocket through (api/v1/stream).",
  away: "The app does not answer. This page goes on asking.",
};

function say() { // how the app is, in a word, and what there is to explain, in a sentence
  const over = !state.connected && state.trouble === "away" && ENDED[state.stage];
  const away = !state.connected && state.trouble !== "stream" && !over;
  $("stage").dataset.state = away ? "away" : over ? "over" : state.stage;
  $("stage").textContent = over || (away && state.trouble ? "not connected" : STAGES[state.stage] || state.stage);
  const sentence = state.connected || !state.trouble ? "" : over ? `The app ${over}. What is shown is the last that was known.` : SAID[state.trouble];
  if ($("notice").textContent !== sentence) $("notice").textContent = sentence;
  $("notice").hidden = !sentence;
}

let asked = false, touched = [];
state.addEventListener("change", (event) => {
  touched = touched === null || event.detail === null ? null : touched.concat(event.detail);
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const now = touched;
    touched = [];
    say();
    if (state.tree === null) return;
    tabs.update(now);
    if (!tabs.any && shown === "" && location.hash === "") show("components");
    else if (tabs.any && shown && location.hash === "") show("");
    if (shown) tools[shown].update(now);
  });
});
addEventListener("hashchange", follow);

// In a row of tabs the arrows go from one to the next, as screen readers announce it.
for (const bar of document.querySelectorAll('[role="tablist"]')) bar.addEventListener("keydown", (event) => {
  const all = [...bar.querySelectorAll("button")], at = all.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  all.at(to % all.length).focus();
});
follow();
