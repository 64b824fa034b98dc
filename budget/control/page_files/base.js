// The operator's page. Whatever comes from the gateway becomes text, never markup: there is no
// innerHTML here, and the policy that the page is served with would refuse it.
"use strict";

const KEPT_EVENTS = 200;
const REFRESH_MS = 2000;
const RETRY_MS = 2000;
const byId = (id) => document.getElementById(id);

// The key lives as long as the tab.
let key = sessionStorage.getItem("admin-key") || "";
let lastEventId = "";
let listening = null;

function make(tag, { className, text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Amounts stay text: a number in JavaScript is a double. Cents, and more digits where they matter.
function dollars(money) {
  if (!money) return "–";
  const [whole, decimals] = money.usd.split(".");
  const sign = whole.startsWith("-") ? "−" : "";
  const digits = decimals.replace(/0+$/, "").padEnd(2, "0");
  const grouped = whole.replace("-", "").replace(/\B(?=(\d{3})+$)/g, ",");
  return `${sign}$${grouped}.${digits.slice(0, Math.max(2, Math.min(6, digits.length)))}`;
}

const clock = (ms) => new Date(ms).toLocaleTimeString();

// What an order came to stays until the next one; what a refresh came to, until the next refresh.
const notices = { order: "", refresh: "" };

function notice(about, message) {
  notices[about] = message;
  const text = Object.values(notices).filter(Boolean).join(" — ");
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function headers(more = {}) {
  return key ? { ...more, authorization: `Bearer ${key}` } : more;
}

async function ask(path, method = "GET", body = undefined) {
  const answer = await fetch(path, {
    method,
    cache: "no-store",
    headers: headers(body ? { "content-type": "application/json" } : {}),
    body: body && JSON.stringify(body),
  });
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(document.error?.message || `${path}: ${answer.status}`);
  return document;
}

function setStatus(text, isGood) {
  byId("status").textContent = text;
  byId("status").className = `pill ${isGood ? "good" : "bad"}`;
}
