// ---- orders

let ordered = null;

function order(verb, scope, id, rule = null) {
  ordered = { verb, scope, id, rule };
  const whom = scope === "global" ? "all calls" : `${scope} ${id}`;
  byId("order-title").textContent = `${verb} ${whom}`;
  byId("order-what").textContent = {
    Kill: "No call passes any more, on every gateway, from the next one on. Calls under way are settled.",
    Stop: "No call of this instance passes any more, and its pending jobs are deleted where a scheduler is set.",
    Resume: "Calls pass again from the next one on.",
    Remove: "What was spent stays counted.",
  }[verb];
  byId("order-do").textContent = verb;
  byId("order-reason").parentElement.querySelector("label").hidden = byId("order-reason").hidden = verb === "Remove";
  byId("order-reason").required = verb !== "Remove";
  byId("order-reason").value = "";
  byId("order").showModal();
}

async function carryOut({ verb, scope, id, rule }, reason, actor) {
  if (verb === "Remove") {
    const { scope: kind, window, match, value } = rule;
    await ask(`/limits?${new URLSearchParams({ scope: kind, window, match, value, actor })}`, "DELETE");
  } else if (verb === "Stop") {
    await ask(`/instances/${encodeURIComponent(id)}/stop`, "POST", { reason, actor });
  } else {
    const body = { scope, reason, actor, ...(scope === "global" ? {} : { id }) };
    await ask(verb === "Kill" ? "/kill" : "/resume", "POST", body);
  }
}

function editLimit(rule) {
  byId("limit-title").textContent = rule ? "Edit limit" : "New limit";
  byId("limit-scope").value = rule?.scope || "global";
  byId("limit-match").value = rule?.match || "id";
  byId("limit-value").value = rule?.value || "";
  byId("limit-window").value = rule?.window || "lifetime";
  byId("limit-usd").value = rule ? rule.limit.usd.replace(/0{1,7}$/, "") : "";
  for (const name of ["scope", "match", "value", "window"]) byId(`limit-${name}`).disabled = Boolean(rule);
  fitLimit();
  byId("limit").showModal();
}

function fitLimit() {
  const isAll = byId("limit-scope").value === "global" && byId("limit-match").value === "id";
  const needsName = !isAll && byId("limit-match").value !== "each";
  byId("limit-value").required = needsName;
  byId("limit-value").readOnly = !needsName;
  if (!needsName) byId("limit-value").value = "";
}

async function setLimit() {
  const value = (name) => byId(`limit-${name}`).value.trim();
  const names = ["scope", "match", "value", "window", "usd", "actor"];
  await ask("/limits", "PUT", Object.fromEntries(names.map((name) => [name, value(name)])));
}

// ---- together

async function refresh() {
  try {
    await Promise.all([showSpend(), showInstances(), showLimits()]);
    const ready = await fetch("/readyz", { cache: "no-store" });
    setStatus(ready.ok ? "store open" : "store closed", ready.ok);
    notice("refresh", "");
  } catch (error) {
    notice("refresh", error.message);
  }
}

async function attempt(work) {
  notice("order", "");
  await work().catch((error) => notice("order", error.message));
  await refresh();
}

async function begin() {
  await showHistory().catch((error) => notice("refresh", error.message));
  listen();
  await refresh();
}

function bind() {
  byId("key").value = key;
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    key = byId("key").value.trim();
    if (key) sessionStorage.setItem("admin-key", key); else sessionStorage.removeItem("admin-key");
    begin();
  });
  byId("kill-all").addEventListener("click", () => order("Kill", "global", ""));
  byId("resume-all").addEventListener("click", () => order("Resume", "global", ""));
  byId("new-limit").addEventListener("click", () => editLimit(null));
  byId("limit-scope").addEventListener("change", fitLimit);
  byId("limit-match").addEventListener("change", fitLimit);
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  byId("order-form").addEventListener("submit", () => {
    const reason = byId("order-reason").value.trim();
    attempt(() => carryOut(ordered, reason, byId("order-actor").value.trim()));
  });
  byId("limit-form").addEventListener("submit", () => attempt(setLimit));
}

bind();
begin().finally(function again() {
  setTimeout(() => (document.hidden ? Promise.resolve() : refresh()).finally(again), REFRESH_MS);
});
