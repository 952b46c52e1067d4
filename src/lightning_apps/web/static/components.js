// The tree of components with their status, and the state of one of them, live.

export class Components {
  constructor(tree, detail, state) {
    Object.assign(this, { tree, detail, state, active: false, chosen: "root" });
    this.rows = "";
    this.drawnFor = "";
    this.cells = new Map(); // attribute → [row, text]
  }

  update(touched) {
    if (touched === null || touched.some((each) => ["came", "went", "status", "structure"].includes(each.op))) this.drawTree();
    if (touched === null || touched.some((each) => each.component === this.chosen)) this.drawDetail();
  }

  draw() { this.drawTree(); this.drawDetail(); }

  drawTree() {
    if (this.state.tree === null) return;
    if (!this.state.places.has(this.chosen)) this.chosen = "root";
    const names = [...this.state.places.keys()].sort(inTreeOrder);
    const rows = names.map((name) => [name, this.status(name)?.stage ?? "", name === this.chosen]);
    const said = JSON.stringify(rows);
    if (this.rows === said) return;
    this.rows = said;
    this.tree.replaceChildren(...rows.map(([name, stage, chosen]) => this.row(name, stage, chosen)));
  }

  status(name) {
    const all = this.state.statuses[name];
    return all && all[all.length - 1];
  }

  row(name, stage, chosen) {
    const row = element("button", "row");
    const parts = name.split(".");
    const above = parts.map((_, index) => parts.slice(0, index).join(".")).filter((each) => this.state.places.has(each));
    row.style.setProperty("padding-left", `${0.5 + above.length * 1.05}rem`);
    row.setAttribute("aria-current", String(chosen));
    row.title = name;
    const label = above.length ? name.slice(above[above.length - 1].length + 1) : name; // of a list: "trials.0"
    row.append(element("span", "name", label));
    const isFlow = "flows" in (this.state.component(name) ?? {});
    row.append(element("span", "kind", isFlow ? "flow" : "work"));
    if (!isFlow) row.append(chip(stage || "not started"));
    row.onclick = () => { this.chosen = name; this.draw(); };
    return row;
  }

  drawDetail() {
    const node = this.state.component(this.chosen);
    if (!node) return;
    if (this.drawnFor !== this.chosen) this.begin();
    this.about(node);
    const attributes = Object.entries(node.vars).sort(([a], [b]) => (a.startsWith("_") ? 1 : 0) - (b.startsWith("_") ? 1 : 0));
    for (const name of this.cells.keys()) if (!(name in node.vars)) { this.cells.get(name)[0].remove(); this.cells.delete(name); }
    for (const [name, value] of attributes) this.cell(name, value);
    this.none.hidden = attributes.some(([name]) => !name.startsWith("_"));
  }

  begin() {
    this.drawnFor = this.chosen;
    this.cells.clear();
    this.heading = element("h2", "", this.chosen);
    this.said = element("p", "about");
    this.trace = element("pre", "trace");
    this.trace.tabIndex = 0;
    this.own = element("table");
    this.inner = element("table");
    this.none = element("p", "about", "It keeps nothing in its state.");
    const more = element("h3", "", "Kept by the framework");
    this.detail.replaceChildren(this.heading, this.said, this.trace, element("h3", "", "State"), this.own, this.none, more, this.inner);
    this.young = true;
    setTimeout(() => { this.young = false; }, 300);
  }

  about() {
    const status = this.status(this.chosen);
    const door = this.state.component(this.chosen)?.vars._url;
    this.said.replaceChildren();
    if (status) {
      this.said.append(chip(status.stage), ` since ${new Date(status.timestamp * 1000).toLocaleTimeString()}`);
      if (status.reason) this.said.append(` · ${status.reason}`);
      const long = (status.message || "").includes("\n");
      if (status.message && !long) this.said.append(` · ${status.message}`);
      if (this.trace.textContent !== (long ? status.message : "")) this.trace.textContent = long ? status.message : "";
    }
    this.trace.hidden = !this.trace.textContent || !status;
    if (door) {
      const link = element("a", "", door);
      Object.assign(link, { href: door, target: "_blank", rel: "noopener" });
      this.said.append(status ? " · serves at " : "serves at ", link);
    }
    this.said.hidden = !this.said.childNodes.length;
  }

  cell(name, value) {
    const text = JSON.stringify(value, null, 1) ?? "null";
    const known = this.cells.get(name);
    if (known && known[1] === text) return;
    const row = known ? known[0] : element("tr");
    const pre = element("pre");
    pre.append(...coloured(shortened(value)));
    const cells = [element("td", "", name), element("td")];
    cells[1].append(pre);
    row.replaceChildren(...cells);
    row.classList.remove("fresh");
    if (!known) (name.startsWith("_") ? this.inner : this.own).append(row);
    if (!this.young) { void row.offsetWidth; row.classList.add("fresh"); }
    this.cells.set(name, [row, text]);
  }
}

const LONG = 4000; // characters of a value that are shown

function shortened(value) {
  const flat = JSON.stringify(value) ?? "null";
  const text = flat.length <= 80 ? flat : JSON.stringify(value, null, 2);
  return text.length > LONG ? `${text.slice(0, LONG)}\n… ${text.length - LONG} characters more` : text;
}

function coloured(text) {
  const parts = [];
  const words = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;
  let end = 0;
  for (const found of text.matchAll(words)) {
    parts.push(text.slice(end, found.index));
    const kind = found[2] ? "" : found[1] ? "string" : found[3] ? "number" : "word";
    parts.push(kind ? element("span", kind, found[0]) : found[0]);
    end = found.index + found[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

function inTreeOrder(a, b) {
  const left = a.split("."), right = b.split(".");
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const order = left[index].localeCompare(right[index], undefined, { numeric: true });
    if (order) return order;
  }
  return left.length - right.length;
}

export function chip(stage) {
  const made = element("span", "chip", stage);
  made.dataset.stage = stage;
  return made;
}

export function element(tag, kind = "", text = "") {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  if (text !== "") made.textContent = text;
  return made;
}
