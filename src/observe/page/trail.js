/** How the lines of the charts went. */
import { page } from "./state.js";

/** How many points a line keeps. */
const MOST_POINTS = 900;

/** The times of the points, and the lines by their names. */
export let trail = { at: [], lines: {} };

/** A line of the trail. */
export function line(name) {
  return trail.lines[name] ?? [];
}

export function addToTrail({ at, state, flows, sources, checkpoints }) {
  if (state === "idle" || state === "ended") return;
  if (at <= (trail.at.at(-1) ?? 0)) return;
  const point = {};
  for (const { id, rate } of flows) point[`rate ${id}`] = rate;
  for (const { id, lag, watermark } of sources) {
    point[`lag ${id}`] = lag;
    point[`delay ${id}`] = watermark?.delayMs;
  }
  for (const { id, pulse, frontier } of checkpoints) {
    point[`pulse ${id}`] = pulse;
    point[`frontier ${id}`] = frontier;
  }
  const { lines } = trail;
  for (const name of Object.keys(point)) lines[name] ??= Array(trail.at.length).fill(null);
  trail.at.push(at);
  for (const [name, values] of Object.entries(lines)) values.push(point[name] ?? null);
  if (trail.at.length <= MOST_POINTS) return;
  trail.at.shift();
  for (const values of Object.values(lines)) values.shift();
}

/** Adds what the app has kept of the time before this page was there. */
export async function loadTrail() {
  try {
    const response = await fetch("trail.json");
    if (!response.ok) return;
    const before = await response.json();
    const from = before.at.at(-1) ?? 0;
    const rest = trail.at.findIndex((at) => at > from);
    if (trail.at[0] <= before.at[0] || before.at.length === 0) return; // known already
    const later = rest < 0 ? [] : trail.at.slice(rest);
    const lines = {};
    for (const name of new Set([...Object.keys(before.lines), ...Object.keys(trail.lines)])) {
      const old = before.lines[name] ?? Array(before.at.length).fill(null);
      const own = trail.lines[name] ?? Array(trail.at.length).fill(null);
      lines[name] = [...old, ...(rest < 0 ? [] : own.slice(rest))];
    }
    trail = { at: [...before.at, ...later], lines };
    page.render();
  } catch { /* the connection is lost, which is told elsewhere */ }
}
