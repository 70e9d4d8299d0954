// What a page does beyond being read: times in the reader's zone, days by keyboard and pointer, and changes as they happen.
// Without it the page is whole; with it nothing moves under its reader.
"use strict";

const RETRY_FIRST = 5000;
const RETRY_LONGEST = 300000;
const STALE_AGAIN = 60000;
const { lang } = document.documentElement;
const language = lang === "en" ? "en-GB" : lang; // days before months, as the page itself has them

// --- times -----------------------------------------------------------------------------------------------------------

function addLocalTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (at.getTimezoneOffset() === 0) continue;
    const sameDay = at.getDate() === at.getUTCDate();
    const date = sameDay ? {} : { day: "numeric", month: "short" };
    const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
    const local = document.createElement("span");
    local.className = "local";
    local.textContent = ` (${new Intl.DateTimeFormat(language, { ...date, ...clock }).format(at)})`;
    time.append(local);
    document.getElementById("zone").hidden = false;
  }
}

// --- days ------------------------------------------------------------------------------------------------------------

// Makes the bars of a component one tab stop, whose value is a day: arrows, Page, Home and End choose it, and so does a pointer.
function makeBars(bars) {
  const { first, count, unknown } = bars.dataset;
  const last = Number(count) - 1;
  const words = document.getElementById("main").dataset;
  const named = new Map();
  const list = document.getElementById(bars.id.replace("bars", "days"));
  for (const item of list?.querySelectorAll("[data-day]") ?? []) {
    named.set(Number(item.dataset.day), item.querySelector("span > span").textContent);
  }
  const dates = new Intl.DateTimeFormat(language, { dateStyle: "long", timeZone: "UTC" });
  const scale = bars.nextElementSibling;
  const readout = document.createElement("p");
  readout.className = "scale day";
  readout.hidden = true;
  scale.after(readout);
  const cursor = document.createElement("i");
  cursor.className = "cursor";
  cursor.hidden = true;
  cursor.style.width = `${75 / (last + 1)}%`;
  bars.append(cursor);
  const sum = bars.querySelector("svg").getAttribute("aria-label");
  let day = last;

  const nameOf = (index) => {
    const date = new Date(`${first}T00:00:00Z`);
    date.setUTCDate(date.getUTCDate() + index);
    return `${dates.format(date)}: ${index < unknown ? words.unknown : named.get(index) ?? words.good}`;
  };
  const choose = (index) => {
    day = Math.min(Math.max(index, 0), last);
    bars.setAttribute("aria-valuenow", day + 1);
    bars.setAttribute("aria-valuetext", nameOf(day));
    cursor.style.left = `${(day * 100) / (last + 1)}%`;
    readout.textContent = nameOf(day);
  };
  const show = (shown) => {
    scale.hidden = shown;
    readout.hidden = cursor.hidden = !shown;
  };
  const keys = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -7, PageUp: 7, Home: -Infinity, End: Infinity };

  bars.querySelector("svg").setAttribute("aria-hidden", "true");
  const attributes = { role: "slider", tabindex: 0, "aria-label": `${words.days} ${sum}`, "aria-valuemin": 1, "aria-valuemax": last + 1 };
  for (const [name, value] of Object.entries(attributes)) bars.setAttribute(name, value);
  choose(day);
  bars.addEventListener("focus", () => show(true));
  bars.addEventListener("blur", () => show(false));
  bars.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    choose(day + keys[event.key]);
  });
  const point = (event) => {
    const box = bars.getBoundingClientRect();
    choose(Math.floor(((event.clientX - box.left) / box.width) * (last + 1)));
    show(true);
  };
  bars.addEventListener("pointermove", point);
  bars.addEventListener("pointerdown", point);
  bars.addEventListener("pointerleave", () => show(document.activeElement === bars));
  return { id: bars.id, get: () => day, choose };
}

// --- the page itself -------------------------------------------------------------------------------------------------

let allBars = new Map();

function enliven(main) {
  addLocalTimes(main);
  allBars = new Map([...main.querySelectorAll(".bars")].map((bars) => [bars.id, makeBars(bars)]));
}

// Puts the new content in the place of the old; focus, chosen days, opened details and what is on the screen stay.
function swap(fresh) {
  const old = document.getElementById("main");
  const main = document.importNode(fresh.getElementById("main"), true);
  const focused = placeOf(document.activeElement);
  const days = [...allBars.values()].map((bars) => [bars.id, bars.get()]);
  const open = [...old.querySelectorAll("details[open]")].map((details) => details.id);
  const anchor = [...old.querySelectorAll("[id]")].find((element) => element.getBoundingClientRect().top >= 0);
  const top = anchor?.getBoundingClientRect().top;

  old.replaceWith(main);
  document.title = fresh.title;
  document.querySelector("link[rel=icon]").href = fresh.querySelector("link[rel=icon]").href;
  enliven(main);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  for (const [id, day] of days) allBars.get(id)?.choose(day);
  const kept = anchor && scrollY > 0 && document.getElementById(anchor.id);
  if (kept) scrollBy({ top: kept.getBoundingClientRect().top - top, behavior: "instant" });
  if (focused) (find(focused, main) ?? main).focus({ preventScroll: true });
  document.getElementById("announcement").textContent = main.dataset.announcement;
}

// Where an element stands: how many links or summaries come before it in the nearest element that has a name.
function placeOf(element) {
  if (!element?.closest("#main")) return null;
  const owner = element.closest("[id]");
  return { id: owner.id, index: [...owner.querySelectorAll("a, summary")].indexOf(element) };
}

function find({ id, index }, main) {
  const owner = document.getElementById(id);
  return index < 0 || !owner ? owner : owner.querySelectorAll("a, summary")[index] ?? main;
}

// --- changes ---------------------------------------------------------------------------------------------------------

let reading = null;
let readAgain = false;

// Reads the page again; of changes that come meanwhile, one more reading shows them all.
function refresh() {
  if (reading) {
    readAgain = true;
    return reading;
  }
  reading = read().finally(() => {
    reading = null;
    if (readAgain) {
      readAgain = false;
      refresh();
    }
  });
  return reading;
}

async function read() {
  let answer;
  try {
    answer = await fetch(location.pathname + location.search, { headers: { accept: "text/html" }, credentials: "same-origin", cache: "no-cache" });
  } catch {
    return; // no connection: the stream notices too, and asks again later
  }
  if ([401, 403, 404].includes(answer.status)) return location.reload();
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!fresh.getElementById("main")?.dataset.tag) return;
  if (fresh.querySelector("script").getAttribute("src") !== document.querySelector("script").getAttribute("src")) return location.reload();
  swap(fresh);
}

function follow(wait = RETRY_FIRST) {
  const { events, tag } = document.getElementById("main").dataset;
  const address = new URL(events, location);
  const source = new EventSource(`${address.pathname}?after=${encodeURIComponent(tag)}`);
  source.addEventListener("open", () => {
    wait = RETRY_FIRST;
    document.getElementById("live").hidden = false;
  });
  source.addEventListener("page", (event) => {
    if (event.lastEventId !== document.getElementById("main").dataset.tag) refresh();
  });
  source.addEventListener("end", () => {
    source.close();
    location.reload();
  });
  source.addEventListener("error", () => {
    document.getElementById("live").hidden = true;
    if (source.readyState !== EventSource.CLOSED) return; // the browser connects again by itself
    setTimeout(async () => {
      await refresh();
      follow(Math.min(wait * 2, RETRY_LONGEST));
    }, wait * (0.75 + Math.random() / 2));
  });
  addEventListener("pagehide", () => source.close());
}

// A page out of date looks again by itself: that its source is back is no change of it, and so no event.
setInterval(() => {
  if ("stale" in document.getElementById("main").dataset && !document.hidden) refresh();
}, STALE_AGAIN);

addEventListener("pageshow", (event) => event.persisted && location.reload());
enliven(document.getElementById("main"));
follow();
