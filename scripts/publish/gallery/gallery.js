"use strict";
// The program of all three pages. Whatever users wrote is put in as text, never as markup.

const PAGE = 16; // prompts shown at a time
const KEPT = 600; // files of data kept in memory
const PARAMETERS = {
  camera: "Camera (-camera)", motion: "Motion (-motion)", guidance_scale: "Guidance scale (-gs)",
  aspect_ratio: "Aspect ratio (-ar)", fps: "Frame rate (-fps)", negative_prompt: "Negative prompt (-neg)",
};
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const $ = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// Data: a page on disk may load scripts, but may read no other file.

const loaded = new Map();
const waiting = new Map();

function receive(name, value) {
  waiting.get(name)?.(value);
}

function load(name) {
  if (!loaded.has(name)) {
    if (loaded.size > KEPT) loaded.delete(loaded.keys().next().value);
    loaded.set(name, new Promise((resolve, reject) => {
      waiting.set(name, resolve);
      const script = make("script", { src: `data/${name}.js` });
      script.onload = () => { waiting.delete(name); script.remove(); };
      script.onerror = () => { loaded.delete(name); reject(new Error(`data/${name}.js is missing: the gallery is incomplete, make it again.`)); };
      document.head.append(script);
    }));
  }
  return loaded.get(name);
}

const fileOf = (kind, number) => `${kind}/${Math.floor(number / 1000)}/${number}`;

async function rowOf(number, kind = "rows") {
  const { rows } = await load("manifest");
  return (await load(fileOf(kind, Math.floor(number / rows))))[number % rows];
}

// The number of a row: its shard is its UUID modulo their number, and shards are sorted.
async function numberOf(uuid) {
  const { rows } = await load("manifest");
  const { starts, firsts } = await load("uuids");
  const hex = uuid.replaceAll("-", "");
  const shard = Number(BigInt(`0x${hex}`) % BigInt(starts.length - 1));
  const [start, end] = [starts[shard], starts[shard + 1]];
  let [low, high] = [Math.floor(start / rows), Math.ceil(end / rows)];
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (firsts[middle] <= hex.slice(0, 12)) low = middle; else high = middle;
  }
  const block = await load(fileOf("rows", low));
  const place = block.findIndex((row) => row.uuid === uuid);
  return place < 0 ? null : low * rows + place;
}

// Search: lists of rows by term, sorted; data_files.py writes them and cuts words in the same way.

function wordsOf(text, pattern = /[\p{L}\p{N}]+/gu) {
  const words = text.normalize("NFKC").toLowerCase().match(pattern) ?? [];
  return words.flatMap((word) => word.split(/([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])/).filter(Boolean));
}

function decode(text) {
  const bytes = atob(text);
  const rows = new Uint32Array(bytes.length);
  let [count, row, gap, shift] = [0, 0, 0, 0];
  for (let place = 0; place < bytes.length; place++) {
    const byte = bytes.charCodeAt(place);
    gap |= (byte & 127) << shift;
    shift += 7;
    if (byte < 128) { row += gap; rows[count++] = row; gap = shift = 0; }
  }
  return rows.subarray(0, count);
}

function union(lists, prompts) {
  if (lists.length < 2) return lists[0] ?? new Uint32Array();
  const has = new Uint8Array(prompts);
  let count = 0;
  for (const list of lists) for (const row of list) { count += 1 - has[row]; has[row] = 1; }
  const all = new Uint32Array(count);
  for (let row = 0, place = 0; place < count; row++) if (has[row]) all[place++] = row;
  return all;
}

function intersect(some, others) {
  const both = new Uint32Array(some.length);
  let [count, place] = [0, 0];
  for (const row of some) {
    while (place < others.length && others[place] < row) place++;
    if (others[place] === row) both[count++] = row;
  }
  return both.subarray(0, count);
}

// The rows of all terms from low to before high; words have no colon, fields have.
async function rowsBetween(low, high) {
  const { terms, prompts } = await load("manifest");
  let first = 0;
  for (let step = 1 << 20; step; step >>= 1) {
    if (first + step < terms.length && terms[first + step] <= low) first += step;
  }
  const files = [];
  for (let file = first; file < terms.length && (file === first || terms[file] < high); file++) {
    files.push(load(fileOf("terms", file)));
  }
  const lists = [];
  for (const [names, rows] of await Promise.all(files)) {
    names.forEach((name, place) => {
      if (low <= name && name < high && name.includes(":") === low.includes(":")) lists.push(decode(rows[place]));
    });
  }
  return union(lists, prompts);
}

const rowsWith = (term) => rowsBetween(term, `${term}\0`);
const rowsBeginning = (term) => rowsBetween(term, `${term}\uffff`);

// Rows that have all that is asked for; null for all rows.
async function search(query) {
  const wanted = [];
  for (const written of (query.get("words") ?? "").split(/\s+/)) {
    const words = wordsOf(written);
    words.forEach((word, place) => wanted.push(written.endsWith("*") && place === words.length - 1 ? rowsBeginning(word) : rowsWith(word)));
  }
  for (const word of wordsOf(query.get("negative") ?? "")) wanted.push(rowsWith(`negative:${word}`));
  if (query.get("from") || query.get("to")) wanted.push(rowsBetween(`date:${query.get("from") ?? ""}`, `date:${query.get("to") || "9999"}\uffff`));
  for (const field of ["subject", "direction", "videos", "fooled", ...Object.keys(PARAMETERS)]) {
    const value = query.get(field)?.trim();
    if (value) wanted.push(rowsWith(`${field}:${["subject", "direction"].includes(field) ? value.toLowerCase() : value}`));
  }
  const lists = (await Promise.all(wanted)).sort((one, other) => one.length - other.length);
  return lists.length ? lists.reduce((rows, others) => intersect(rows, others)) : null;
}

// What is shown

let showsUnsafe = false;

async function card(number) {
  const row = await rowOf(number);
  const link = make("a", { href: `prompt.html#${row.uuid}` });
  const item = make("li", {}, link);
  if (row.unsafe && !showsUnsafe) {
    link.textContent = `Prompt ${row.uuid.slice(0, 8)}`;
    item.append(make("small", { textContent: "Hidden: flagged as unsafe" }));
    return item;
  }
  link.textContent = row.text;
  link.dir = "auto";
  const picture = make("img", { alt: "", src: `data:image/jpeg;base64,${await rowOf(number, "pictures")}` });
  item.prepend(picture);
  item.append(make("small", { textContent: [row.subject, row.date.slice(0, 10)].filter(Boolean).join(" · ") }));
  return item;
}

function report(fault) {
  $("main").prepend(make("p", { className: "banner", role: "alert", textContent: fault.message }));
}

function goTo(words) {
  const text = words.trim().toLowerCase();
  if (UUID.test(text)) location.href = `prompt.html#${text}`;
  return UUID.test(text);
}

const pages = {};

pages.leaderboard = async () => {
  $("quick").addEventListener("submit", (event) => {
    event.preventDefault();
    const words = $("words").value;
    if (!goTo(words)) location.href = `search.html#${new URLSearchParams({ words })}`;
  });
  const { prompts, compared } = await load("manifest");
  $("facts").textContent = `${prompts.toLocaleString("en")} prompts, ${compared.toLocaleString("en")} of them with a video of every generator.`;
};

pages.search = async () => {
  const { prompts, compared, labels, choices } = await load("manifest");
  const form = $("search");
  const options = (select, pairs) => select.append(make("option", { value: "", textContent: "any" }),
    ...pairs.map(([value, text]) => make("option", { value, textContent: text })));
  options($("videos"), [["all", "every generator"], ...Object.entries(labels.generators)]);
  options($("fooled"), choices.fooled.map(([judge, count]) => [judge, `${labels.judges[judge] ?? judge} (${count})`]));
  for (const field of ["subject", "direction"]) {
    $(`${field}s`).append(...choices[field].map(([value]) => make("option", { value })));
  }
  for (const [field, label] of Object.entries(PARAMETERS)) {
    if (!choices[field]) continue;
    const select = make("select", { id: field, name: field });
    options(select, choices[field].map(([value, count]) => [value, `${value} (${count.toLocaleString("en")})`]));
    $("typed").lastElementChild.before(make("p", {}, make("label", { htmlFor: field, textContent: label }), select));
  }
  let run = 0;
  let [rows, count, begin] = [null, 0, 0];
  const more = async (isFirst) => {
    const mine = run;
    const numbers = Array.from({ length: Math.min(PAGE, count - begin) }, (_, place) => (rows ? rows[begin + place] : begin + place));
    begin += numbers.length;
    const cards = await Promise.all(numbers.map(card));
    if (mine !== run) return;
    $("found").append(...cards);
    $("more").hidden = begin >= count;
    if (!isFirst) cards[0]?.querySelector("a").focus();
  };
  const show = async () => {
    const mine = ++run;
    const query = new URLSearchParams(location.hash.slice(1) || (compared ? "videos=all" : ""));
    for (const field of form.querySelectorAll("[name]")) field.value = query.get(field.name) ?? "";
    const found = await search(query);
    if (mine !== run) return;
    [rows, count, begin] = [found, found ? found.length : prompts, 0];
    $("found").replaceChildren();
    $("count").textContent = count ? `${count.toLocaleString("en")} prompt${count > 1 ? "s" : ""} found` : "No prompt has all of this.";
    await more(true);
    document.body.dataset.shown = String(mine);
  };
  const shown = () => show().catch(report);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (goTo($("words").value)) return;
    const said = [...new FormData(form)].filter(([, value]) => value);
    const hash = `#${said.length ? new URLSearchParams(said) : "all"}`;
    if (hash === location.hash) shown(); else location.hash = hash;
  });
  form.addEventListener("reset", () => { location.hash = "#all"; });
  $("unsafe").addEventListener("change", (event) => { showsUnsafe = event.target.checked; shown(); });
  $("more").addEventListener("click", () => more(false).catch(report));
  addEventListener("hashchange", shown);
  await show();
};

// The videos of a prompt, in step: one clock, which each of them follows.
function inStep(videos) {
  const [play, time, clock] = [$("play"), $("time"), $("clock")];
  let isPlaying = false;
  let at = 0;
  let last = 0;
  const end = () => Math.max(0, ...videos.map((video) => video.duration || 0));
  const move = (to, tolerance) => {
    at = to;
    for (const video of videos) {
      const place = Math.min(at, (video.duration || 0) - 0.001);
      if (place >= 0 && Math.abs(video.currentTime - place) > tolerance) video.currentTime = place;
      const runs = isPlaying && at < (video.duration || 0);
      if (runs === video.paused) { if (runs) video.play().catch(() => {}); else video.pause(); }
    }
    time.max = end();
    time.value = at;
    clock.textContent = `${at.toFixed(2)} s of ${end().toFixed(2)} s`;
  };
  const tick = (now) => {
    if (!isPlaying) return;
    const to = at + ((now - last) / 1000) * Number($("speed").value);
    last = now;
    if (to < end()) move(to, 0.08); else move(0, 0);
    requestAnimationFrame(tick);
  };
  play.onclick = () => {
    isPlaying = !isPlaying;
    play.textContent = isPlaying ? "Pause" : "Play";
    last = performance.now();
    move(at, isPlaying ? 0.08 : 0);
    requestAnimationFrame(tick);
  };
  time.oninput = () => move(Number(time.value), 0);
  $("speed").onchange = () => videos.forEach((video) => { video.playbackRate = Number($("speed").value); });
  videos.forEach((video) => video.addEventListener("loadedmetadata", () => move(at, 0)));
}

// A video in a tar is read at its place, which needs a server that gives parts of files.
async function fromTar([tar, offset, size]) {
  if (location.protocol === "file:") throw new Error("The video lies in a tar, of which a page on disk can read no part: open the gallery with make show.");
  const answer = await fetch(tar, { headers: { Range: `bytes=${offset}-${offset + size - 1}` } });
  if (answer.status !== 206) throw new Error("The video lies in a tar that this server does not have, or of which it gives no part.");
  return URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type: "video/mp4" }));
}

async function showMedia(row, number, labels) {
  const picture = make("img", { alt: "The picture that the user sent", src: `data:image/jpeg;base64,${await rowOf(number, "pictures")}` });
  const items = [make("li", {}, make("h3", { textContent: "Image prompt" }), picture)];
  const videos = [];
  for (const [generator, place] of Object.entries(row.videos)) {
    const name = labels.generators[generator] ?? generator;
    const item = make("li", {}, make("h3", { textContent: name }));
    items.push(item);
    try {
      if (!place) throw new Error("The video lies outside the results, where no page can read it.");
      const src = typeof place === "string" ? place : await fromTar(place);
      const video = make("video", { src, muted: true, playsInline: true, preload: "auto" });
      video.setAttribute("aria-label", `Video by ${name}`);
      video.addEventListener("error", () => video.replaceWith(make("p", { textContent: "This browser cannot show the video." })));
      videos.push(video);
      item.append(video);
    } catch (fault) {
      item.append(make("p", { textContent: fault.message }));
    }
  }
  $("media").replaceChildren(...items);
  $("controls").hidden = !videos.length;
  inStep(videos);
}

function showScores(row, labels) {
  const said = Object.values(row.said).flat();
  const named = { ...labels.dimensions, ...labels.judges };
  const judges = Object.keys(named).filter((judge) => said.some(([name]) => name === judge));
  const head = make("tr", {}, ...["Generator", ...judges.map((judge) => named[judge])].map((text) => make("th", { scope: "col", textContent: text })));
  const lines = Object.entries(row.said).map(([generator, verdicts]) => make("tr", {},
    make("th", { scope: "row", textContent: labels.generators[generator] ?? generator }),
    ...judges.map((judge) => {
      const found = verdicts.find(([name]) => name === judge);
      const cell = make("td", { textContent: found ? found[1].toFixed(3) : "–" });
      if (found?.[2]) cell.append(" ", make("span", { className: "fooled", textContent: "fooled" }));
      return cell;
    })));
  $("unscored").hidden = judges.length > 0;
  $("scores").replaceChildren(...(judges.length ? [make("thead", {}, head), make("tbody", {}, ...lines)] : []));
}

pages.prompt = async () => {
  const { labels } = await load("manifest");
  let revealed = false;
  const show = async () => {
    const uuid = location.hash.slice(1);
    const number = UUID.test(uuid) ? await numberOf(uuid) : null;
    if (number === null) throw new Error("No prompt has this UUID.");
    const row = await rowOf(number);
    const hidden = row.unsafe && !revealed;
    $("unsafe-note").hidden = !hidden;
    $("shown").hidden = hidden;
    $("uuid").textContent = row.uuid;
    $("text").textContent = hidden ? "A prompt that is flagged as unsafe" : row.text;
    $("text").dir = "auto";
    document.title = `${$("text").textContent.slice(0, 60)} – TIP-I2V gallery`;
    if (hidden) return;
    const fields = [["Subject", row.subject], ["Directions", row.directions.join(", ")], ["Date", `${row.date} UTC`],
      ...Object.entries(row.typed).map(([name, value]) => [PARAMETERS[name] ?? name, String(value)])];
    $("fields").replaceChildren(...fields.filter(([, value]) => value).flatMap(([name, value]) => [
      make("dt", { textContent: name }), make("dd", { textContent: value, dir: "auto" })]));
    showScores(row, labels);
    await showMedia(row, number, labels);
    $("nearest").replaceChildren(...await Promise.all(row.nearest.map(card)));
    document.body.dataset.shown = row.uuid;
  };
  $("copy").onclick = async () => {
    await navigator.clipboard.writeText($("uuid").textContent);
    $("copied").textContent = "Copied.";
  };
  $("reveal").onclick = () => { revealed = true; show().then(() => $("main").focus()).catch(report); };
  addEventListener("hashchange", () => { revealed = false; $("copied").textContent = ""; scrollTo(0, 0); show().catch(report); });
  await show();
};

pages[document.body.dataset.page]().catch(report);
