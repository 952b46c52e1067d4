// The app's state as it changes: a copy that is kept up to date by the stream.  Knows nothing of how it is shown.

const FIRST = 250, LONGEST = 5000; // milliseconds before the stream is opened again
const TAKEN = new Set([401, 403, 421]); // answers to whom may not (any more) look

export class State extends EventTarget {
  constructor(address) {
    super();
    this.address = address;
    this.tree = null; // in the shape of app.state_vars
    this.statuses = {}; // of works, by name
    this.stage = "";
    this.connected = false;
    this.trouble = ""; // why it is not: "away", "entry" (whoever looks may not), "stream" (only WebSockets do not get through)
    this.answers = 0; // to requests since the stream last failed
    this.version = "";
    this.pause = FIRST;
    this.places = new Map(); // component → path in the tree
    this.open();
  }

  open() {
    const url = new URL(this.address, document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (this.version) url.searchParams.set("from", this.version);
    const socket = new WebSocket(url);
    socket.onmessage = (event) => this.hear(JSON.parse(event.data), socket);
    socket.onclose = async () => {
      this.connected = false;
      this.trouble ||= "away";
      this.tell([]);
      await this.ask();
      setTimeout(() => this.open(), this.pause);
      this.pause = Math.min(this.pause * 2, LONGEST);
    };
  }

  // Whether it is the stream alone that does not come; then the state is asked for now and then.
  async ask() {
    try {
      const [state, status] = await Promise.all(["state", "status"].map((name) => fetch(`api/v1/${name}`, { cache: "no-store" })));
      this.answers = state.ok && status.ok ? this.answers + 1 : 0; // once may be just after it began
      this.trouble = TAKEN.has(state.status) ? "entry" : this.answers > 1 ? "stream" : "away";
      if (this.answers === 1) this.pause = FIRST;
      if (this.trouble !== "stream") return this.tell([]);
      const statuses = Object.entries((await status.json()).work_statuses).map(([name, last]) => [name, [last]]);
      this.take(await state.json(), Object.fromEntries(statuses));
      this.version = "";
      this.tell(null);
    } catch {
      this.trouble = "away";
      this.tell([]);
    }
  }

  take(tree, statuses) {
    this.tree = tree;
    this.statuses = statuses;
    this.stage = tree.app_state ? tree.app_state.stage : "";
    this.places = new Map();
    this.walk("root", [], tree);
  }

  hear(message, socket) {
    this.connected = true;
    this.trouble = "";
    this.answers = 0;
    this.pause = FIRST;
    let touched = [];
    if (message.type === "snapshot") {
      this.take(message.state, message.statuses);
      touched = null; // everything
    } else if (message.type === "changes") {
      try {
        touched = message.changes.map((change) => this.apply(change));
      } catch (error) { // it speaks of something that is not here: ask for the whole
        this.version = "";
        socket.close();
        return;
      }
    } else return;
    this.version = message.version;
    this.tell(touched);
  }

  tell(touched) {
    this.dispatchEvent(new CustomEvent("change", { detail: touched }));
  }

  walk(name, path, node) {
    this.places.set(name, path);
    for (const section of ["flows", "works"])
      for (const [key, child] of Object.entries(node[section] || {})) this.walk(`${name}.${key}`, [...path, section, key], child);
    for (const [structure, held] of Object.entries(node.structures || {}))
      for (const section of ["flows", "works"])
        for (const [key, child] of Object.entries(held[section] || {}))
          this.walk(`${name}.${structure}.${key}`, [...path, "structures", structure, section, key], child);
  }

  at(path) {
    return path.reduce((node, key) => node[key], this.tree);
  }

  component(name) {
    const path = this.places.get(name);
    return path === undefined ? undefined : this.at(path);
  }

  apply({ op, component, path, value, index, removed }) {
    if (op === "stage") this.stage = value;
    else if (op === "status") this.statuses[component] = value;
    else if (op === "came") this.came(component, value);
    else if (op === "went") this.went(component);
    else if (op === "structure") {
      const structures = this.component(component).structures;
      if (value) structures[path[0]] ??= { works: {}, flows: {} };
      else delete structures[path[0]];
    } else if (op === "set" || op === "delete" || op === "splice") {
      let holder = this.component(component).vars;
      const steps = op === "splice" ? path : path.slice(0, -1);
      for (const key of steps) holder = holder[key];
      if (op === "splice") holder.splice(index, removed, ...value);
      else if (op === "delete") delete holder[path[path.length - 1]];
      else holder[path[path.length - 1]] = value;
    }
    return { component, attribute: path && path[0], op };
  }

  came(name, { place, is_flow, vars, structures }) {
    const node = is_flow ? { vars, flows: {}, works: {}, structures: {} } : { vars };
    for (const structure of is_flow ? structures : []) node.structures[structure] = { works: {}, flows: {} };
    if (place.length) this.at(place.slice(0, -1))[place[place.length - 1]] = node;
    else this.tree = { ...node, app_state: this.tree && this.tree.app_state };
    this.places.set(name, place);
  }

  went(name) {
    const place = this.places.get(name);
    for (const known of [...this.places.keys()])
      if (known === name || known.startsWith(`${name}.`)) {
        this.places.delete(known);
        delete this.statuses[known];
      }
    let holder = this.tree;
    for (const key of place.slice(0, -1)) holder = holder && holder[key];
    if (holder) delete holder[place[place.length - 1]];
  }
}
