// Small additions to pages that work without them: live fragments, swapping of
// lists, single keys, focus on the error summary. No text lives here.

const header = "Plateau-Fragment";
const tags = new Map();

// replace gives the new fragment the focus and the scroll places of the old one.
function replace(old, text) {
  const box = document.createElement("template");
  box.innerHTML = text;
  const fresh = box.content.getElementById(old.id);
  if (!fresh) return null;
  const active = old.contains(document.activeElement) ? document.activeElement : null;
  const key = active && (active.id ? "#" + CSS.escape(active.id) :
    active.getAttribute("href") ? `[href="${CSS.escape(active.getAttribute("href"))}"]` :
    active.name ? `[name="${CSS.escape(active.name)}"]` : "");
  const typed = active && "value" in active ? [active.value, active.selectionStart, active.selectionEnd] : null;
  const open = [...old.querySelectorAll("details[open][id]")].map((d) => d.id);
  const places = [...old.querySelectorAll(".scroll")].map((s) => [s.scrollLeft, s.scrollTop]);
  old.replaceWith(fresh);
  [...fresh.querySelectorAll(".scroll")].forEach((s, i) => { if (places[i]) [s.scrollLeft, s.scrollTop] = places[i]; });
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  const again = key && fresh.querySelector(key);
  if (again) {
    again.focus({ preventScroll: true });
    if (typed && "value" in again && again.tagName === "INPUT" && again.type !== "checkbox") {
      again.value = typed[0];
      try { again.setSelectionRange(typed[1], typed[2]); } catch { /* not a text field */ }
    }
  }
  fresh.dispatchEvent(new CustomEvent("plateau:fresh", { bubbles: true }));
  return fresh;
}

async function load(url, id, known) {
  const headers = { [header]: id };
  if (known) headers["If-None-Match"] = known;
  const answer = await fetch(url, { headers, cache: "no-store", credentials: "same-origin" });
  if (answer.status === 304) return null;
  if (!answer.ok || answer.redirected) throw new Error("status " + answer.status);
  tags.set(id, answer.headers.get("ETag"));
  return answer.text();
}

// ---- live fragments: data-live holds the seconds between two looks ----
async function look(id) {
  const el = document.getElementById(id);
  if (!el || document.hidden || el.querySelector("[aria-busy]")) return;
  try {
    const text = await load(location.href, id, tags.get(id));
    const now = document.getElementById(id);
    if (text !== null && now) replace(now, text);
    document.getElementById(id)?.removeAttribute("data-stale");
  } catch {
    document.getElementById(id)?.setAttribute("data-stale", "");
  }
}

// The page itself was the first look, so the first wait starts now.
const last = new Map();
setInterval(() => {
  if (document.hidden) return;
  const now = performance.now();
  for (const el of document.querySelectorAll("[data-live][id]")) {
    if (!last.has(el.id)) last.set(el.id, now);
    if (now - last.get(el.id) < Number(el.dataset.live) * 1000) continue;
    last.set(el.id, now);
    look(el.id);
  }
}, 1000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) for (const el of document.querySelectorAll("[data-live][id]")) { last.set(el.id, performance.now()); look(el.id); }
});

// ---- links and GET forms that replace one fragment ----
let turn = 0;
async function swap(url, id, push) {
  const old = document.getElementById(id);
  if (!old) { location.href = url; return; }
  const mine = ++turn;
  const late = setTimeout(() => old.setAttribute("aria-busy", "true"), 300);
  try {
    tags.delete(id);
    const text = await load(url, id);
    if (mine !== turn) return;
    if (!replace(document.getElementById(id), text)) throw new Error("no fragment");
    if (push) {
      if (!history.state) history.replaceState({ swap: id }, ""); // so that going back is a swap too
      history.pushState({ swap: id }, "", url);
    }
  } catch {
    location.href = url;
  } finally {
    clearTimeout(late);
    document.getElementById(id)?.removeAttribute("aria-busy");
  }
}
document.addEventListener("click", (e) => {
  const a = e.target.closest?.("a[data-swap]");
  if (!a || e.button || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
  e.preventDefault();
  swap(a.href, a.dataset.swap, true);
});
document.addEventListener("submit", (e) => {
  const f = e.target;
  if (!f.dataset.swap || f.method !== "get") return;
  e.preventDefault();
  const q = new URLSearchParams(new FormData(f));
  for (const [k, v] of [...q]) if (v === "") q.delete(k);
  const url = new URL(f.action);
  url.search = q;
  swap(url.href, f.dataset.swap, true);
});
addEventListener("popstate", (e) => {
  if (e.state?.swap && document.getElementById(e.state.swap)) swap(location.href, e.state.swap, false);
  else location.reload();
});

// ---- single keys; they can be switched off ----
const off = document.getElementById("keys-off");
let keysOff = false;
try { keysOff = localStorage.getItem("keys") === "off"; } catch { /* storage is closed */ }
if (off) {
  off.checked = keysOff;
  off.addEventListener("change", () => {
    keysOff = off.checked;
    try { localStorage.setItem("keys", keysOff ? "off" : "on"); } catch { /* storage is closed */ }
  });
}
function row(step) {
  const rows = [...document.querySelectorAll("main .list tbody tr:not(.group)")].filter((r) => r.querySelector("a"));
  if (!rows.length) return;
  const at = rows.findIndex((r) => r.contains(document.activeElement));
  const to = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step))];
  to.querySelector("a").focus();
}
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const help = document.getElementById("keys");
  if (e.key === "?" && help) { help.open ? help.close() : help.showModal(); return; }
  if (keysOff || help?.open) return;
  if (e.key === "/") {
    const box = document.querySelector("main [type=search], main [data-search]");
    if (box) { e.preventDefault(); box.focus(); box.select?.(); }
  } else if (e.key === "j") row(1);
  else if (e.key === "k") row(-1);
});

document.querySelector("[data-focus]")?.focus();
