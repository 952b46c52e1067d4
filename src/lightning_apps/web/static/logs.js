// What components print, as it comes.

import { element } from "./components.js";

const MOST = 5000; // lines that are kept
const TAIL = 65536; // bytes of the past of each component

export class Logs {
  constructor(whose, follow, search, lines, state) {
    Object.assign(this, { whose, follow, search, lines, state, source: null, text: "" });
    this.isActive = false;
    whose.onchange = () => this.open();
    search.oninput = () => this.filter();
    lines.onscroll = () => {
      if (lines.scrollTop + lines.clientHeight < lines.scrollHeight - 40) follow.checked = false;
    };
    follow.onchange = () => this.toEnd();
  }

  set active(active) {
    if (active === this.isActive) return;
    this.isActive = active;
    if (active) this.open();
    else this.close();
  }

  draw() { this.choices(); this.toEnd(); }

  update(touched) {
    if (touched === null || touched.some((each) => ["came", "went"].includes(each.op))) this.choices();
  }

  choices() {
    const speaks = (node) => !("flows" in node) || Boolean(node.vars._layout?.target); // works, and flows with a frontend
    const names = [...this.state.places.keys()].filter((name) => speaks(this.state.component(name))).sort();
    const said = names.join("\n");
    if (this.text === said) return;
    this.text = said;
    const chosen = this.whose.value;
    this.whose.replaceChildren(new Option("all", ""), ...names.map((name) => new Option(name, name)));
    this.whose.value = names.includes(chosen) ? chosen : "";
  }

  open() {
    this.close();
    this.lines.replaceChildren();
    const url = new URL("api/v1/logs", document.baseURI);
    url.searchParams.set("tail", String(TAIL));
    if (this.whose.value) url.searchParams.set("component", this.whose.value);
    this.source = new EventSource(url);
    this.source.onmessage = (event) => this.add(event.data);
    this.source.onerror = () => {
      if (this.source?.readyState === EventSource.CLOSED && !this.lines.childNodes.length) this.add(JSON.stringify({ line: "There is no log to be read here." }));
    };
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  add(data) {
    let said;
    try { said = JSON.parse(data); } catch { said = { line: data }; }
    const line = element("span", said.stream === "err" ? "err" : "");
    if (said.component && !this.whose.value) line.append(element("b", "", `${said.component}  `));
    line.append(said.line ?? data);
    line.hidden = !this.matches(line);
    this.lines.append(line);
    while (this.lines.childNodes.length > MOST) this.lines.firstChild.remove();
    this.toEnd();
  }

  matches(line) { return line.textContent.toLowerCase().includes(this.search.value.toLowerCase()); }

  filter() {
    for (const line of this.lines.children) line.hidden = !this.matches(line);
    this.toEnd();
  }

  toEnd() {
    if (this.follow.checked) this.lines.scrollTop = this.lines.scrollHeight;
  }
}
