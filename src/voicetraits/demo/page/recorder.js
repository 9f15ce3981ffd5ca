// The microphone, until it is stopped.

import { RATE, mono, wav } from "./wav.js";

// Errors of getUserMedia by name, as people can act on them.
const WHY = {
  NotAllowedError: "The browser did not allow the microphone. Allow it for this page (beside the address), or choose a file.",
  SecurityError: "The browser does not allow the microphone here. Open the page as localhost or 127.0.0.1, or choose a file.",
  NotFoundError: "There is no microphone. Plug one in, or choose a file.",
  OverconstrainedError: "There is no microphone that fits. Plug one in, or choose a file.",
  NotReadableError: "Another program uses the microphone. Close it there, or choose a file.",
};

// Starts to record. Gives `stop`, and `done`, a promise of the recording as a Blob. `onTick` is
// told the seconds and the loudness from 0 to 1; after `longest` seconds it stops by itself.
export async function record({ longest, onTick }) {
  if (!navigator.mediaDevices || !window.MediaRecorder) {
    throw new Error("This browser cannot record here. Choose a file.");
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    throw new Error(WHY[error.name] || "The microphone cannot be used. Choose a file.");
  }
  const recorder = new MediaRecorder(stream);
  const parts = [];
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const started = performance.now();
  const stop = () => recorder.state !== "inactive" && recorder.stop();
  const ticking = setInterval(() => {
    const seconds = (performance.now() - started) / 1000;
    onTick(seconds, loudness(analyser));
    if (seconds >= longest) stop();
  }, 100);
  const done = new Promise((resolve, reject) => {
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onerror = () => reject(new Error("Recording broke off. Try it again."));
    recorder.onstop = () => resolve(new Blob(parts, { type: recorder.mimeType }));
  }).finally(() => {
    clearInterval(ticking);
    stream.getTracks().forEach((track) => track.stop());
    context.close();
  });
  recorder.start();
  return { stop, done: done.then(decoded) };
}

function loudness(analyser) {
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  return Math.sqrt(Math.max(...samples.map(Math.abs)));
}

// The browser reads what it has recorded itself. Where it does not, the server does.
async function decoded(recording) {
  if (!recording.size) throw new Error("Nothing was recorded. Try it again.");
  try {
    const context = new OfflineAudioContext(1, 1, RATE);
    const sound = await context.decodeAudioData(await recording.arrayBuffer());
    const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
    return wav(mono(channels));
  } catch {
    return recording;
  }
}
