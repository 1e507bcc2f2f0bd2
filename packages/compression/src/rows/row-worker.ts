// The entry of a worker thread, which solves the rows of one RowTask after another.

import { parentPort, type MessagePort } from "node:worker_threads";
import { InternalError, type Solution } from "@mbs/contracts";
import { createBlas } from "@mbs/onnx";
import { solvers } from "@mbs/solvers";
import type { RowAnswer, RowFailure, RowTask } from "./row-task.ts";

const port = parentPort;
if (port === null) throw new InternalError("row-worker is the entry of a worker thread and does nothing else");

const blas = createBlas({ threads: 1 });
const stopping = new AbortController();
let work = Promise.resolve();

function failureOf(thrown: unknown): RowFailure {
  if (!(thrown instanceof Error)) return { message: String(thrown) };
  const { message, stack, tag, facts } = thrown as Error & { readonly tag?: unknown; readonly facts?: unknown };
  return { message, stack, tag, facts };
}

/** Buffers that can be handed over instead of copied. */
function buffersOf({ values, mask, blocks, quantised }: Solution): ArrayBuffer[] {
  const arrays = [values, mask, blocks, quantised?.codes, quantised?.scales, quantised?.zeros];
  const buffers = new Set(arrays.flatMap((array) => array?.buffer ?? []));
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer);
}

async function solveRows({ solver: name, weight, statistics, options }: RowTask): Promise<RowAnswer> {
  const solver = await solvers.get(name)?.();
  if (solver === undefined) throw new InternalError(`no built-in solver ${name}`);
  const warnings: string[] = [];
  const context = { blas, signal: stopping.signal, warn: (message: string) => void warnings.push(message) };
  const solution = await solver.solve(weight, statistics as Parameters<typeof solver.solve>[1], options, context);
  return { solution, warnings };
}

async function answer(task: RowTask, port: MessagePort): Promise<void> {
  // so that a solver that never settles ends the thread
  port.unref();
  const found = await solveRows(task).catch((thrown: unknown): RowAnswer => ({ failure: failureOf(thrown) }));
  port.ref();
  port.postMessage(found, "solution" in found ? buffersOf(found.solution) : []);
}

port.on("message", (message: RowTask | "end") => {
  if (message !== "end") {
    work = answer(message, port);
    return;
  }
  // what is at work stops at its next block; the thread ends when nothing is left to do
  stopping.abort();
  port.close();
  void work.finally(() => blas.release());
});
