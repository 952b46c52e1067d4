// The app's state as it changes: a copy that is kept up to date by the stream.  Knows nothing of how it is shown.

const FIRST = 250, LONGEST = 5000; // milliseconds before the stream is opened again

export class State extends EventTarget {
  constructor(address) {
    super();
    this.address = address;
    this.tree = null; // in the shape of app.state_vars
    this.statuses = {}; // of works, by name
    this.stage = "";
    this.connected = false;
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
    socket.onclose = () => {
      this.connected = false;
      this.tell([]);
      setTimeout(() => this.open(), this.pause);
      this.pause = Math.min(this.pause * 2, LONGEST);
    };
  }

  hear(message, socket) {
    this.connected = true;
    this.pause = FIRST;
    let touched = [];
    if (message.type === "snapshot") {
      this.tree = message.state;
      this.statuses = message.statuses;
      this.stage = message.state.app_state ? message.state.app_state.stage : "";
      this.places = new Map();
      this.walk("root", [], this.tree);
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
