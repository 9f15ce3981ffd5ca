// What the model says, as text and bars.

import { clock, draw } from "./waveform.js";

const UNKNOWN = "unknown";
const OTHER = "other";
const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });
const find = (id) => document.getElementById(id);
let shown = null;

export function show(found, { thresholds }) {
  shown = found;
  find("result").hidden = false;
  showSpeech(found);
  const { whole } = found;
  showAnswer("language", whole.language, whole.language_probabilities, thresholds.language);
  showAnswer("gender", whole.gender, genders(whole), thresholds.gender);
  showTimeline(found);
  redraw();
  find("result").scrollIntoView({ block: "nearest" });
}

export function redraw() {
  if (shown) draw(find("waveform"), { ...shown, seconds: shown.seconds || 0 });
}

export function hide() {
  shown = null;
  find("result").hidden = true;
}

// One sentence for those who do not see the page.
export function summary({ whole, speech }) {
  if (!speech.length) return "No speech was found.";
  return `Language: ${spoken(whole.language)}. Gender label: ${whole.gender}.`;
}

function spoken(name) {
  if (name === OTHER) return "another";
  if (name === UNKNOWN) return name;
  try {
    return names.of(name);
  } catch {
    return name; // no code of a language
  }
}

function genders({ female_probability: female }) {
  return female === null ? {} : { female, male: 1 - female };
}

function percent(chance) {
  return `${Math.round(100 * chance)}%`;
}

function showSpeech({ seconds, speech, speech_seconds: spokenFor }) {
  const length = seconds === null ? "" : ` in ${seconds.toFixed(1)} s`;
  const text = speech.length
    ? `Speech for ${spokenFor.toFixed(1)} s${length}.`
    : `No speech was found${length}.`;
  const where = speech.slice(0, 10).map(([start, end]) => `${start.toFixed(1)} to ${end.toFixed(1)}`);
  const more = speech.length > where.length ? `, and ${speech.length - where.length} more` : "";
  find("heard").textContent = text;
  find("waveform").setAttribute(
    "aria-label",
    speech.length ? `Waveform. Speech, in seconds: ${where.join(", ")}${more}.` : "Waveform without speech.",
  );
}

// Why an answer is unknown, as people would say it.
export function why(value, chances, threshold) {
  if (value !== UNKNOWN) return "";
  if (threshold === undefined) return "This model does not tell it.";
  const all = Object.entries(chances);
  if (!all.length) return "There is not enough speech.";
  const [best] = all.reduce((one, next) => (next[1] > one[1] ? next : one));
  if (best === OTHER) return "It sounds like none of those that the model knows.";
  return `Not sure enough: an answer needs ${percent(threshold)}.`;
}

function showAnswer(task, value, chances, threshold) {
  find(task).textContent = spoken(value);
  find(`${task}-why`).textContent = why(value, chances, threshold);
  const sorted = Object.entries(chances).sort((one, next) => next[1] - one[1]);
  const bars = sorted.map(([name, chance]) => bar(spoken(name), chance, threshold));
  find(`${task}-bars`).replaceChildren(...bars);
}

function bar(name, chance, threshold) {
  const track = element("span", { className: "track", ariaHidden: "true" });
  const fill = element("span", { className: "fill" });
  fill.style.width = `${100 * chance}%`;
  const needed = element("span", { className: "needed", title: `needed: ${percent(threshold)}` });
  needed.style.left = `${100 * threshold}%`;
  track.append(fill, needed);
  const line = document.createElement("li");
  const value = element("span", { textContent: percent(chance) });
  line.append(element("span", { textContent: name }), " ", track, value);
  return line;
}

function showTimeline({ seconds, segments, whole }) {
  find("timeline").hidden = segments.length < 2;
  const classes = Object.keys(whole.language_probabilities);
  const blocks = segments.map((piece) => {
    const hue = piece.language === UNKNOWN ? UNKNOWN : `hue${classes.indexOf(piece.language) % 6}`;
    const block = element("div", { className: hue, textContent: spoken(piece.language) });
    block.style.left = `${(100 * piece.start) / seconds}%`;
    block.style.width = `${(100 * (piece.end - piece.start)) / seconds}%`;
    return block;
  });
  find("strip").replaceChildren(...blocks);
  find("pieces").replaceChildren(...segments.map(row));
}

function row(piece) {
  const sure = (value, chances) => {
    const chance = Math.max(...Object.values(chances));
    return value === UNKNOWN ? value : `${spoken(value)}, ${percent(chance)}`;
  };
  const cells = [
    clock(piece.start),
    clock(piece.end),
    sure(piece.language, piece.language_probabilities),
    sure(piece.gender, genders(piece)),
  ];
  const line = document.createElement("tr");
  line.append(...cells.map((text) => element("td", { textContent: text })));
  return line;
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
