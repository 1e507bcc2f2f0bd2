import { fstatSync } from "node:fs";
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import { printable, progressCount } from "@mbs/contracts";
import type { Progress, TimeLeft } from "@mbs/contracts";
import type { SingleBar } from "cli-progress";
import { logText } from "./log-line.ts";

// Loaded when the first bar is drawn: help answers sooner without it.
const loadBars = (): typeof import("cli-progress") =>
  createRequire(import.meta.url)("cli-progress") as typeof import("cli-progress");

/** Progress and warnings of a running command on standard error. */
export interface Reporter {
  readonly progress: (progress: Progress) => void;
  readonly warn: (message: string) => void;
  /** A line that is no warning. */
  readonly note: (message: string) => void;
  /** Leaves the terminal clean; nothing is shown afterwards. */
  readonly stop: () => void;
}

/** `json`: warnings and notes as lines of a structured log, which has events in the place of progress. */
export type ProgressStyle = "bar" | "lines" | "json" | "none";

/** Milliseconds between two plain lines. */
export const lineInterval = 5000;

/** Milliseconds of an activity from which its time left can be told. */
const leastElapsed = 1000;

const isPipe = (descriptor: number): boolean => {
  try {
    // The array of other stats is Node's own too: its realpath takes a pipe that was looked at last for the end of a path, and
    // packages behind links are then loaded a second time.
    const status = fstatSync(descriptor, { bigint: true });
    return status.isFIFO() || status.isSocket();
  } catch {
    return false;
  }
};

/**
 * A bar belongs to a command that has the terminal to itself. Neighbours in a pipe share standard error, and their bars
 * would overwrite each other: there each writes plain lines under its own name.
 */
export function progressStyle(
  quiet: boolean,
  terminal: boolean = process.stderr.isTTY,
  inPipe: boolean = isPipe(0) || isPipe(1),
): ProgressStyle {
  if (quiet) return "none";
  return terminal && !inPipe ? "bar" : "lines";
}

/** 4000 → "1 h 7 min", 75 → "1 min 15 s". */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

/** The same as people say it, in the unit below the largest at most: 52 → "52 s", 1045 → "17 min", 8000 → "2 h 10 min". */
export function formatAbout(seconds: number): string {
  const step = seconds < 60 ? 1 : seconds < 600 ? 30 : seconds < 3600 ? 60 : 600;
  return formatSeconds(Math.max(1, Math.round(seconds / step) * step)).replace(/ 0 (s|min)$/, "");
}

/** "12 s left", "at least 3 min 5 s left"; "" of less than a second. */
const leftText = ({ seconds, isLeast }: TimeLeft): string =>
  seconds < 1 ? "" : `${isLeast ? "at least " : ""}${formatSeconds(seconds)} left`;

/** What a line of progress is of. */
const lineOf = ({ activity, whole }: Progress): string => whole?.name ?? activity;

/** "3 of 16 sites, 12 s left", with no more than is known: of the first moment no time. */
function amountText(progress: Progress, elapsedMs: number): string {
  const { done, total, whole } = progress;
  const amount = progressCount(progress);
  if (total === undefined) return amount;
  const seconds = done > 0 && elapsedMs >= leastElapsed ? (elapsedMs / 1000 / done) * (total - done) : 0;
  const known = whole === undefined ? { seconds, isLeast: false } : whole.left;
  const left = known === undefined ? "" : leftText(known);
  return `${amount}${left === "" ? "" : `, ${left}`}`;
}

function lineReporter(name: string, write: (text: string) => void, interval: number): Reporter {
  let line = "";
  let started = 0;
  let last = performance.now();
  return {
    progress(progress) {
      const now = performance.now();
      if (lineOf(progress) !== line) {
        line = lineOf(progress);
        started = now;
      }
      if (now - last < interval) return;
      last = now;
      write(`${name}: ${printable(progress.activity)}, ${amountText(progress, now - started)}\n`);
    },
    warn: (message) => write(`${name}: warning: ${printable(message)}\n`),
    note: (message) => write(`${name}: ${printable(message)}\n`),
    stop: () => undefined,
  };
}

function jsonReporter(name: string, write: (text: string) => void): Reporter {
  return {
    progress: () => undefined,
    warn: (message) => write(logText(name, { level: "warn", event: "warning", message })),
    note: (message) => write(logText(name, { level: "info", event: "note", message })),
    stop: () => undefined,
  };
}

function barReporter(name: string, write: (text: string) => void): Reporter {
  let bar: SingleBar | undefined;
  let line = "";
  let started = 0;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    progress(progress) {
      const { activity } = progress;
      if (!bar || lineOf(progress) !== line) {
        stop();
        line = lineOf(progress);
        started = performance.now();
        const { Presets, SingleBar: Bar } = loadBars();
        bar = new Bar(
          {
            // The library's own time left reads as INF or NULL until something is done.
            format: `${name}: {activity} ${progress.total === undefined ? "" : "{bar} {percentage}% "}| {amount}`,
            barsize: 24,
            stream: process.stderr,
            hideCursor: true,
            // Signals are the host's business.
            gracefulExit: false,
          },
          Presets.shades_classic,
        );
        bar.start(progress.total ?? 0, progress.done, { activity, amount: amountText(progress, 0) });
      }
      if (progress.total !== undefined) bar.setTotal(progress.total);
      bar.update(progress.done, { activity, amount: amountText(progress, performance.now() - started) });
    },
    warn(message) {
      stop();
      write(`${name}: warning: ${printable(message)}\n`);
    },
    note(message) {
      stop();
      write(`${name}: ${printable(message)}\n`);
    },
    stop,
  };
}

/**
 * @param name how the command calls itself, "mbs capture"
 * @param interval milliseconds between two plain lines
 */
export function createReporter(
  name: string,
  style: ProgressStyle,
  write: (text: string) => void = (text) => void process.stderr.write(text),
  interval: number = lineInterval,
): Reporter {
  if (style === "none") return { progress: () => undefined, warn: () => undefined, note: () => undefined, stop: () => undefined };
  if (style === "json") return jsonReporter(name, write);
  return style === "bar" ? barReporter(name, write) : lineReporter(name, write, interval);
}
