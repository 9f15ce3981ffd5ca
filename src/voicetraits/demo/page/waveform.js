// The waveform with its speech and its time.

const AXIS = 24; // pixels below it
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120]; // seconds between two marks
const LEAST = 56; // pixels between two marks

export function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// The times of the marks on an axis of so many pixels, in seconds.
export function marks(seconds, width) {
  const step = STEPS.find((one) => (one / seconds) * width >= LEAST) || STEPS.at(-1);
  return Array.from({ length: Math.floor(seconds / step + 1e-6) + 1 }, (_, i) => i * step);
}

export function markText(seconds, all) {
  return all[1] < 1 ? `${seconds.toFixed(1)} s` : clock(seconds);
}

export function draw(canvas, { waveform, speech, seconds }) {
  const scale = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const colour = (name) => getComputedStyle(canvas).getPropertyValue(name).trim();
  const room = height - AXIS;
  const at = (second) => (second / seconds) * width;
  pen.fillStyle = colour("--band");
  pen.fillRect(0, 0, width, room);
  pen.fillStyle = colour("--speech");
  for (const [start, end] of speech) pen.fillRect(at(start), 0, at(end) - at(start), room);
  pen.fillStyle = colour("--wave");
  const top = Math.max(...waveform, 1e-4);
  const column = width / waveform.length;
  waveform.forEach((peak, i) => {
    const tall = Math.max(1, (peak / top) * (room - 8));
    pen.fillRect(i * column, (room - tall) / 2, Math.max(column, 0.75), tall);
  });
  if (!seconds) return;
  pen.fillStyle = colour("--ink");
  pen.font = "12px system-ui, sans-serif";
  const all = marks(seconds, width);
  let free = 0; // where the text before ends
  for (const second of all) {
    const text = markText(second, all);
    const wide = pen.measureText(text).width;
    const left = Math.min(at(second), width - wide);
    pen.fillRect(Math.min(at(second), width - 1), room, 1, 5);
    if (left < free) continue;
    pen.fillText(text, left, room + 18);
    free = left + wide + 4;
  }
}
