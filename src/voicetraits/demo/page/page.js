// The page: a recording in, what the model says of it out.

import { record } from "./recorder.js";
import { hide, redraw, show, summary } from "./result.js";
import { clock } from "./waveform.js";

const find = (id) => document.getElementById(id);
const button = find("record");
const GONE = "The program that serves this page does not answer. Start it again, and reload the page.";
let about = null;
let recording = null; // while the microphone is on
let busy = false; // while a recording is waited for

async function start() {
  button.addEventListener("click", () => (recording ? recording.stop() : recordOne()));
  find("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = ""; // so that the same file can be chosen again
    if (file) recognise(file);
  });
  for (const name of ["dragover", "dragleave", "drop"]) document.addEventListener(name, dragged);
  addEventListener("resize", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  try {
    about = await (await fetch("about")).json();
  } catch {
    fail(GONE);
    return;
  }
  introduce();
}

function introduce() {
  find("synthetic").hidden = !about.synthetic;
  find("model").textContent = `Model ${about.model}, trained on: ${about.trained_on}`;
  const note = find("card-note");
  note.hidden = about.card !== null && about.own_card;
  note.textContent =
    about.card === null
      ? "There is no model card here yet."
      : "The card describes the released model. This page runs another one.";
  find("card-text").hidden = about.card === null;
  find("card-text").textContent = about.card ?? "";
}

function dragged(event) {
  event.preventDefault(); // or the browser leaves the page for the file
  document.body.classList.toggle("dropping", event.type === "dragover");
  if (event.type !== "drop") return;
  const { files } = event.dataTransfer;
  if (files.length === 1) recognise(files[0]);
  else fail("Drop one file.");
}

async function recordOne() {
  if (busy || !about) return;
  setBusy(true);
  say("Waiting for the microphone.");
  try {
    const { stop, done } = await record({ longest: about.longest - 1, onTick: tick });
    recording = { stop };
    recordingShown(true);
    const sound = await done;
    recordingShown(false);
    recording = null;
    setBusy(false);
    await recognise(sound);
  } catch (error) {
    recording = null;
    recordingShown(false);
    setBusy(false);
    fail(error.message);
  }
}

function tick(seconds, loudness) {
  find("elapsed").textContent = clock(seconds);
  find("level").value = loudness;
}

function recordingShown(on) {
  button.setAttribute("aria-disabled", "false");
  button.textContent = on ? "Stop" : "Record";
  button.classList.toggle("recording", on);
  find("elapsed").hidden = find("level").hidden = !on;
  if (on) say("Recording. Say a few sentences, then stop.");
}

async function recognise(blob) {
  if (busy) return say("One recording at a time: this one first.");
  if (!about) return fail(GONE);
  if (blob.size > about.largest) {
    return fail(`This file is larger than ${about.largest / 1e6} MB. Choose a smaller one.`);
  }
  setBusy(true);
  hide();
  say("Listening …");
  try {
    const response = await fetch("recognise", { method: "POST", body: blob });
    const found = await response.json();
    if (!response.ok) throw new Refused(found.error);
    show(found, about);
    say(summary(found));
  } catch (error) {
    // What fetch and json throw says nothing to people.
    fail(error instanceof Refused ? error.message : GONE);
  } finally {
    setBusy(false);
  }
}

class Refused extends Error {}

function setBusy(on) {
  busy = on;
  // Not `disabled`, which would take the keyboard's focus away.
  button.setAttribute("aria-disabled", String(on));
}

function say(text) {
  find("status").textContent = text;
  find("error").hidden = true;
}

function fail(text) {
  say("");
  hide();
  find("error").textContent = text;
  find("error").hidden = false;
}

start();
