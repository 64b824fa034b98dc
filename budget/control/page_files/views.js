// ---- spend

function part(className, share) {
  const element = make("span", { className });
  element.style.width = `${share}%`;
  return element;
}

function bar(row) {
  const spent = row.spent.nano_usd;
  const held = row.reserved.nano_usd;
  const caps = [row.limit, row.safety_limit].filter(Boolean).map((each) => each.nano_usd);
  const whole = Math.max(Math.min(...caps), spent + held, 1);
  const label = `${dollars(row.spent)} spent, ${dollars(row.reserved)} held`;
  return make("div", { className: "bar", role: "img", "aria-label": label },
    part("spent", (100 * spent) / whole), part("held", (100 * held) / whole));
}

function budget(row, name) {
  const limit = row.limit || row.safety_limit;
  const figures = make("span", { className: "money" });
  figures.append(`${dollars(row.spent)} spent · ${dollars(row.reserved)} held · `
    + (limit ? `${dollars(row.remaining)} left of ${dollars(limit)}` : "no limit"));
  const title = make("span", { className: "name", text: name });
  if (row.window !== "lifetime") title.append(` (${row.window})`);
  if (row.state !== "live") title.append(" ", make("span", { className: "bad", text: row.state }));
  const line = make("div", { className: "line" }, title, figures);
  return make("div", { className: "budget" }, line, ...(limit ? [bar(row)] : []));
}

function fill(id, elements, empty) {
  const focused = document.activeElement?.dataset?.focus;
  byId(id).replaceChildren(...(elements.length ? elements : [empty]));
  if (focused) {
    const again = [...byId(id).querySelectorAll("[data-focus]")];
    again.find((each) => each.dataset.focus === focused)?.focus();
  }
}

const nothing = (text) => make("p", { className: "empty", text });
const emptyRow = (columns, text) => make("tr", {}, make("td", { colspan: columns, text, className: "empty" }));

async function showSpend() {
  const [all, tenants] = await Promise.all([ask("/budgets?scope=global"), ask("/budgets?scope=tenant")]);
  byId("mode").textContent = `mode ${all.mode}`;
  fill("global", all.budgets.map((row) => budget(row, "All calls")));
  const rows = tenants.budgets.filter((row) => row.scope === "tenant");
  rows.sort((a, b) => b.spent.nano_usd - a.spent.nano_usd);
  fill("tenants", rows.map((row) => budget(row, row.id)), nothing("No tenant has called yet."));
}

// ---- instances

function action(text, className, focus, act) {
  const button = make("button", { text, className, "data-focus": focus });
  button.addEventListener("click", act);
  return button;
}

function instanceRow(each) {
  const isLive = each.state === "live";
  const name = each.instance;
  const button = isLive
    ? action("Stop", "danger", `i ${name}`, () => order("Stop", "instance", name))
    : action("Resume", "", `i ${name}`, () => order("Resume", "instance", name));
  button.setAttribute("aria-label", `${button.textContent} ${name}`);
  const state = make("span", { className: isLive ? "good" : "bad", text: each.state });
  if (each.reason) state.title = `${each.actor}: ${each.reason}`;
  return make("tr", {},
    make("td", { text: name }), make("td", {}, state),
    make("td", { className: "money", text: dollars(each.spent) }),
    make("td", { className: "money", text: dollars(each.reserved) }),
    make("td", { className: "number", text: each.calls }),
    make("td", { className: "number", text: each.refusals }),
    make("td", { className: "do" }, button));
}

async function showInstances() {
  const page = await ask("/instances?limit=200");
  page.instances.sort((a, b) => b.spent.nano_usd - a.spent.nano_usd);
  fill("instances", page.instances.slice(0, 100).map(instanceRow), emptyRow(7, "No instance has called yet."));
}

// ---- limits

function whose(rule) {
  if (rule.match === "each") return `each ${rule.scope}`;
  if (rule.match === "workflow") return `each ${rule.scope} of workflow ${rule.value}`;
  return rule.scope === "global" ? "all calls" : `${rule.scope} ${rule.value}`;
}

function limitRow(rule) {
  const name = `${whose(rule)}, ${rule.window}`;
  const edit = action("Edit", "", `e ${name}`, () => editLimit(rule));
  const remove = action("Remove", "", `r ${name}`, () => order("Remove", "limit", name, rule));
  edit.setAttribute("aria-label", `Edit limit of ${name}`);
  remove.setAttribute("aria-label", `Remove limit of ${name}`);
  return make("tr", {},
    make("td", { text: whose(rule) }), make("td", { text: rule.window }),
    make("td", { className: "money", text: dollars(rule.limit) }),
    make("td", { className: "do" }, edit, " ", remove));
}

async function showLimits() {
  const document = await ask("/limits");
  const { cap, instance_cap, safety_cap } = document.settings;
  const settings = [["all calls", cap], ["each instance", instance_cap], ["safety cap", safety_cap]]
    .filter(([, money]) => money).map(([name, money]) => `${name} ${dollars(money)}`);
  byId("limits-note").textContent = settings.length
    ? `From the settings, where nothing here says otherwise: ${settings.join(", ")}` : "";
  fill("limits", document.limits.map(limitRow), emptyRow(4, "No limit is set here."));
}

// ---- events

function describe(name, data) {
  if (name === "store") return ["store", data.reason ? `${data.state}: ${data.reason}` : data.state];
  if (name === "refusal") return [data.code, `instance ${data.instance}, ${data.activity}: ${dollars(data.requested)} asked (${data.scope})`];
  if (name === "refusals_left_out") return ["refusals", `${data.count} more at the same time`];
  if (name === "dropped") return ["this page", `${data.missed} events missed: ${data.why}`];
  return [data.kind, `${data.scope}${data.id && ` ${data.id}`}: ${data.reason}${data.detail ? `, ${data.detail}` : ""} (${data.actor})`];
}

function showEvent(name, data) {
  const [what, text] = describe(name, data);
  const at = data.at_unix_ms ? clock(data.at_unix_ms) : clock(Date.now());
  const isGood = data.kind === "resume" || data.kind === "limit" || data.state === "open";
  byId("events").querySelector(".empty")?.remove();
  byId("events").prepend(make("li", {}, make("time", { text: at }), make("b", { className: isGood ? "good" : "bad", text: what }), text));
  while (byId("events").children.length > KEPT_EVENTS) byId("events").lastChild.remove();
  if (name === "store") setStatus(data.state === "open" ? "store open" : "store closed", data.state === "open");
}

function readEvent(block) {
  const fields = { event: "message", data: [] };
  for (const line of block.split("\n")) {
    const [name, ...rest] = line.split(": ");
    if (name === "id") lastEventId = rest.join(": ");
    else if (name === "event") fields.event = rest.join(": ");
    else if (name === "data") fields.data.push(rest.join(": "));
  }
  if (fields.data.length) showEvent(fields.event, JSON.parse(fields.data.join("\n")));
}

// EventSource can't send a key, so the stream is read by hand.
async function listen() {
  listening?.abort();
  const mine = listening = new AbortController();
  while (!mine.signal.aborted) {
    try {
      const more = lastEventId ? { "last-event-id": lastEventId } : {};
      const answer = await fetch("/events", { headers: headers(more), signal: mine.signal });
      if (!answer.ok) throw new Error((await answer.json()).error.message);
      await readStream(answer.body.pipeThrough(new TextDecoderStream()).getReader());
    } catch (error) {
      if (mine.signal.aborted) return;
      setStatus("not connected", false);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function readStream(reader) {
  for (let rest = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    blocks.forEach(readEvent);
  }
}

async function showHistory() {
  fill("events", [], make("li", { className: "empty", text: "Nothing yet." }));
  const newest = (await ask("/trips?after=9007199254740991&limit=1")).next;
  const { trips } = await ask(`/trips?after=${Math.max(0, newest - 50)}&limit=50`);
  for (const trip of trips) showEvent("trip", trip);
}
