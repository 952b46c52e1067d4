// The tabs that layouts ask for, nested ones too, each in a frame that is kept while its tab exists.

const LOOK = 1000; // milliseconds between looks at what is not ready yet
const LOCAL = new Set(["localhost", "127.0.0.1", "[::1]", "0.0.0.0"]);
const PATIENCE = 2000; // milliseconds for a direct way to answer

export class Tabs {
  constructor(bar, more, nested, frames, state) {
    Object.assign(this, { bar, more, nested, frames, state, active: true, chosen: "", any: false });
    more.onchange = () => { location.hash = `#${encodeURIComponent(more.value)}`; };
    new ResizeObserver(() => this.overflow()).observe(bar);
    this.doors = {}; // what the server says is behind its doors
    this.panes = new Map(); // address → element
    this.direct = new Map(); // address of a work → whether this browser reaches it
    this.looking = false;
    this.drawn = "";
  }

  // What is shown, as [{ name, path, flow | address | waits, tabs }]
  entries(layout, above = "") {
    if (!Array.isArray(layout)) return null;
    return layout.map((entry, index) => {
      const name = String(entry.name ?? entry.content ?? index + 1);
      const path = above ? `${above}/${name}` : name;
      const flow = this.state.component(entry.content);
      if (flow === undefined) return { name, path, ...this.place(entry) };
      const inner = flow.vars._layout;
      if (inner && !Array.isArray(inner) && inner.target) return { name, path, ...this.door(inner.target) };
      if (above.split("/").length > 4) return { name, path, waits: "These tabs are nested too deeply." };
      const tabs = this.entries(inner, path);
      return tabs && tabs.length ? { name, path, tabs } : { name, path, waits: `${entry.content} shows nothing of its own.` };
    });
  }

  door(target) {
    const address = target.replace(/^\//, "");
    return { address, ready: !this.doors[address.replace(/\/$/, "")]?.waits };
  }

  place(entry) {
    const target = entry.target || "";
    if (!target) return { waits: entry.content ? `It is not there yet: ${entry.content}` : "It is not there yet." };
    let url;
    try { url = new URL(target); } catch { return { address: target, ready: true }; }
    const found = Object.entries(this.doors).find(([, door]) => door.url && new URL(door.url).host === url.host);
    if (!found) return { address: target, ready: true };
    const through = `${found[0]}${url.pathname}${url.search}${url.hash}`;
    const way = this.way(url.origin);
    return way === undefined ? { waits: "…", ready: false } : { address: way ? target : through, ready: true };
  }

  // A work's own address serves it best, where this browser reaches it; the door is there for all others.
  way(origin) {
    if (!LOCAL.has(location.hostname) || location.protocol === "https:") return false;
    if (!this.direct.has(origin)) {
      this.direct.set(origin, undefined);
      fetch(origin, { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) })
        .then(() => true, () => false)
        .then((reached) => { this.direct.set(origin, reached); this.draw(); });
    }
    return this.direct.get(origin);
  }

  choose(path) { this.chosen = path; }

  update(touched) {
    const matters = touched === null || touched.some((each) => ["_layout", "_url"].includes(each.attribute) || ["came", "went"].includes(each.op));
    if (matters) { this.draw(); this.look(); }
  }

  async look() {
    if (this.looking) return;
    this.looking = true;
    try {
      const answer = await fetch("api/v1/doors", { cache: "no-store" });
      if (answer.ok) this.doors = (await answer.json()).doors;
    } catch { /* the stream says that the app is away */ }
    this.looking = false;
    this.draw();
    if (Object.values(this.doors).some((door) => door.waits && !door.failed)) {
      clearTimeout(this.again);
      this.again = setTimeout(() => this.look(), LOOK);
    }
  }

  draw() {
    if (this.state.tree === null) return;
    const layout = this.state.tree.vars._layout;
    const own = !Array.isArray(layout) && layout && layout.target;
    const entries = own ? [{ name: "Main", path: "Main", ...this.door(layout.target) }] : this.entries(layout) || [];
    const seen = entries.filter((entry) => !(entry.waits && /shows nothing of its own/.test(entry.waits)));
    this.any = seen.length > 0;
    let open = this.find(seen, this.chosen);
    if (!open.length && seen.length) open = this.path(seen[0]);
    this.buttons(this.bar, own ? [] : seen, open[0]);
    this.all(own ? [] : seen, open[0]);
    const below = open[0]?.tabs;
    this.nested.hidden = !below || !this.active;
    if (below) this.buttons(this.nested, this.leaves(below, open[0].path), open[open.length - 1]);
    this.panesFor(seen, open[open.length - 1]);
  }

  leaves(entries, above) { // all that lie below, by the names on the way
    return entries.flatMap((entry) =>
      entry.tabs ? this.leaves(entry.tabs, above) : [{ ...entry, name: entry.path.slice(above.length + 1).replaceAll("/", " › ") }]);
  }

  path(entry) { return entry.tabs ? [entry, ...this.path(entry.tabs[0])] : [entry]; }

  find(entries, path) {
    for (const entry of entries) {
      if (entry.path === path) return this.path(entry);
      if (entry.tabs && path.startsWith(`${entry.path}/`)) {
        const below = this.find(entry.tabs, path);
        if (below.length) return [entry, ...below];
      }
    }
    return [];
  }

  buttons(bar, entries, open) {
    const wanted = entries.map((entry) => [entry.path, entry.name, entry.ready === false]);
    const said = JSON.stringify([wanted, this.active && open?.path]);
    if (bar.dataset.said === said) return;
    bar.dataset.said = said;
    bar.replaceChildren(...entries.map((entry) => {
      const button = document.createElement("button");
      button.textContent = entry.name;
      button.setAttribute("role", "tab");
      button.setAttribute("aria-selected", String(this.active && entry.path === open?.path));
      if (entry.ready === false) {
        const dot = document.createElement("span");
        dot.className = "dot";
        dot.title = "it is starting";
        button.append(dot);
      }
      button.onclick = () => { location.hash = `#${encodeURIComponent(entry.path)}`; };
      return button;
    }));
  }

  // Where there is no room for all: a list of them, and the open one where it can be seen.
  all(entries, open) {
    const paths = JSON.stringify(entries.map((entry) => entry.path));
    if (this.more.dataset.said !== paths) {
      this.more.dataset.said = paths;
      this.more.replaceChildren(...entries.map((entry) => new Option(entry.name, entry.path)));
    }
    this.more.value = this.active && open ? open.path : "";
    this.overflow();
  }

  overflow() {
    this.more.hidden = this.bar.scrollWidth <= this.bar.clientWidth + (this.more.hidden ? 0 : this.more.offsetWidth);
    const open = this.bar.querySelector('[aria-selected="true"]');
    if (!this.more.hidden && open !== this.seen) open?.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.seen = open;
  }

  panesFor(entries, open) {
    const all = [];
    const collect = (entry) => (entry.tabs ? entry.tabs.forEach(collect) : all.push(entry));
    entries.forEach(collect);
    const keys = new Set(all.map((entry) => entry.address).filter(Boolean));
    for (const [key, pane] of this.panes) if (!keys.has(key)) { pane.remove(); this.panes.delete(key); }
    if (open?.address && !this.panes.has(open.address)) {
      const pane = this.pane(open);
      this.panes.set(open.address, pane);
      this.frames.append(pane);
    }
    for (const [key, pane] of this.panes) pane.hidden = key !== open?.address;
    this.message(open);
  }

  pane(entry) {
    const pane = document.createElement("div");
    const frame = document.createElement("iframe");
    frame.src = entry.address;
    frame.title = entry.name;
    frame.allow = "clipboard-read; clipboard-write; fullscreen; camera; microphone";
    const link = document.createElement("a");
    Object.assign(link, { className: "link", href: entry.address, target: "_blank", rel: "noopener", textContent: "open alone ↗" });
    pane.append(frame, link);
    return pane;
  }

  message(open) {
    const text = open?.address ? "" : open?.waits || (this.any ? "" : "This app shows no tabs.");
    if (this.drawn === text) return;
    this.drawn = text;
    this.note?.remove();
    if (!text) return;
    this.note = document.createElement("p");
    this.note.className = "empty";
    const strong = document.createElement("strong");
    strong.textContent = open ? open.name : "Nothing to show";
    this.note.append(strong, text);
    this.frames.append(this.note);
  }
}
