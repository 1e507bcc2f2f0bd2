import { write, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { isatty } from "node:tty";
import { promisify } from "node:util";
import type { DecodedStream } from "@mbs/artifacts";
import { BadDataError, BrokenPipeError, InterruptedError, printableLines, UsageError } from "@mbs/contracts";
import { waitForInput } from "./parent-process.ts";

/** The name of standard input and output where a file may be named. */
export const standardStream = "-";

/** Where results are written. A program that runs commands in its own process, as our tests do, may name a file. */
export const standardOutput = { descriptor: 1 };

/** How messages call standard input. */
export const standardInputName = "standard input";

const writeDescriptor = promisify(write);

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);

/** What is expected of an input. */
export interface ExpectedInput {
  /** Its name: "segments". */
  readonly what: string;
  /** The flag that makes it unnecessary, and what that does; absent where there is none. */
  readonly without?: string | undefined;
}

const stopReading = (): void => void process.stdin.destroy(new InterruptedError("interrupted"));

/**
 * Standard input as bytes. Ends at once, with an error, when the signal fires: a pipe may stay silent for hours.
 *
 * @param expected named in the messages
 * @throws {UsageError} when standard input is a terminal
 * @throws {BadDataError} when it is empty and there is a way to do without
 */
async function* readStandardInput({ what, without }: ExpectedInput, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const otherwise = without === undefined ? "" : `, or give ${without}`;
  if (process.stdin.isTTY) {
    throw new UsageError(
      `${what} expected on standard input, which is a terminal; pipe them in or redirect a file, e.g. < ${what}.arrow${otherwise}`,
    );
  }
  let isEmpty = true;
  signal.addEventListener("abort", stopReading, { once: true });
  const chunks: AsyncIterator<Uint8Array> = process.stdin[Symbol.asyncIterator]();
  try {
    signal.throwIfAborted();
    for (;;) {
      const next = await waitForInput(chunks.next());
      if (next.done === true && isEmpty && without !== undefined) {
        throw new BadDataError(`empty, where ${what} are expected; pipe them in${otherwise}`);
      }
      if (next.done === true) return;
      isEmpty = false;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", stopReading);
    // Closes the pipe, so that its writer notices.
    await chunks.return?.();
  }
}

/** The result of some work, or the error of the signal where that fires first. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/**
 * Opens an artifact by its path, or the one on standard input. Ends with an error when the signal fires: a FIFO opens only
 * once it has a writer.
 *
 * @param expected there, named where standard input is a terminal
 * @throws {UsageError} where standard input is a terminal
 * @throws as openArtifact
 */
export async function openInput(path: string, expected: ExpectedInput, signal: AbortSignal): Promise<DecodedStream> {
  // Loaded here: help, which must be fast, imports this file too.
  const { openArtifact, openNamed } = await import("@mbs/artifacts");
  if (path === standardStream) return openNamed(readStandardInput(expected, signal), standardInputName);
  return unlessAborted(openArtifact(path), signal);
}

/** Milliseconds before a busy standard output is tried again. */
const busyWait = 5;

/**
 * Another process of the pipe may have made the shared descriptor non-blocking: EAGAIN means that it is full, and is no error.
 *
 * @throws {BrokenPipeError} when the reader has gone away
 * @throws any other error as it is
 */
function requireBusy(error: unknown): void {
  if (codeOf(error) === "EPIPE") throw new BrokenPipeError("the reader of standard output went away", {}, { cause: error });
  if (codeOf(error) !== "EAGAIN") throw error;
}

/**
 * Writes to standard output as fast as its reader takes it.
 *
 * Node writes to pipes synchronously, which would stop a stage's work (and its signal handlers) whenever the reader is
 * slow; writing to the descriptor goes through the thread pool.
 *
 * @throws {BrokenPipeError} when the reader has gone away
 */
export async function writeStandardOutput(bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  for await (const chunk of bytes) {
    let offset = 0;
    while (offset < chunk.byteLength) {
      try {
        const { bytesWritten } = await writeDescriptor(standardOutput.descriptor, chunk, offset);
        offset += bytesWritten;
      } catch (error) {
        requireBusy(error);
        await delay(busyWait);
      }
    }
  }
}

/** Writes a text to standard output in the same way; on a terminal, without what could command it. */
export function printText(text: string): Promise<void> {
  const shown = isatty(standardOutput.descriptor) ? printableLines(text) : text;
  return writeStandardOutput([new TextEncoder().encode(shown)]);
}

/** Writes a text to standard output synchronously: commander awaits nothing, and Node's own stream would lose errors. */
function printNow(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let offset = 0; offset < bytes.length;) {
    try {
      offset += writeSync(standardOutput.descriptor, bytes, offset);
    } catch (error) {
      requireBusy(error);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyWait);
    }
  }
}

/** The output of commander: help and version are written, or fail, like any result; the host prints errors. */
export const commandOutput = { writeOut: printNow, outputError: (): void => undefined } as const;
