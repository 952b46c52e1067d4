"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made[name] = value;
  made.append(...children);
  return made;
}

function example(schema, known, depth = 0) {
  if (!schema || depth > 5) return null;
  if (schema.$ref) return example(known[schema.$ref.split("/").pop()], known, depth + 1);
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.type === "array") return [example(schema.items, known, depth + 1)];
  if (schema.type === "object") {
    return Object.fromEntries(Object.entries(schema.properties || {}).map(([name, each]) => [name, example(each, known, depth + 1)]));
  }
  return { string: "", integer: 0, number: 0, boolean: false }[schema.type] ?? null;
}

function form(method, path, operation, known) {
  const fields = new Map();
  const made = element("form");
  for (const parameter of operation.parameters || []) {
    const input = element("input", { required: Boolean(parameter.required), placeholder: parameter.schema?.example || "" });
    fields.set(parameter, input);
    made.append(element("label", {}, `${parameter.name} (${parameter.in})`, input));
  }
  const content = operation.requestBody?.content?.["application/json"];
  const body = content && element("textarea", { value: JSON.stringify(example(content.schema, known), null, 2) });
  if (body) made.append(body);
  const answer = element("pre", { hidden: true });
  made.append(element("p", {}, element("button", {}, "Try it")), answer);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    answer.hidden = false;
    answer.textContent = "…";
    answer.textContent = await ask(method, path, fields, body).catch(String);
  });
  return made;
}

async function ask(method, path, fields, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const query = new URLSearchParams();
  for (const [parameter, input] of fields) {
    if (input.value === "") continue;
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (parameter.in === "header") headers[parameter.name] = input.value;
    else query.append(parameter.name, input.value);
  }
  if (path === "/api/v1/logs") query.set("follow", "false");
  const url = path.slice(1) + (query.size ? `?${query}` : "");
  const answer = await fetch(url, { method: method.toUpperCase(), headers, body: body ? body.value : undefined });
  const text = await answer.text();
  let shown = text;
  try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* it is no JSON */ }
  const tag = answer.headers.get("etag");
  return `${answer.status} ${answer.statusText}${tag ? `   ETag: ${tag}` : ""}\n\n${shown}`;
}

async function show() {
  const answer = await fetch("openapi.json");
  const description = await answer.json();
  if (!answer.ok) throw new Error(description.detail);
  document.title = `API of ${description.info.title}`;
  document.querySelector("h1").textContent = document.title;
  const known = description.components?.schemas || {};
  const groups = new Map();
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const method of METHODS.filter((each) => operations[each])) {
      const operation = operations[method];
      const tag = operation.tags?.[0] || "app";
      const about = operation.description ? [element("div", { className: "about" }, operation.description)] : [];
      const head = element("summary", {}, element("b", {}, method.toUpperCase()), element("code", {}, path), operation.summary || "");
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(element("details", {}, head, ...about, form(method, path, operation, known)));
    }
  }
  const main = document.getElementById("operations");
  main.replaceChildren();
  for (const [tag, entries] of groups) main.append(element("h2", {}, tag.replaceAll("_", " ")), ...entries);
}

show().catch((error) => { document.getElementById("operations").textContent = String(error); });
