import { setTimeout as delay } from "node:timers/promises";

/** Requests before an answer counts. */
const attempts = 5;
const firstWait = 500;
const longestWait = 60_000;

/** Answers that mean "later": too many requests, and a server or a gateway that is in trouble. */
const later: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** Broken connections that a new one may mend. A refused one, or a name that is not known, stays so. */
const mendable: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT", "EAI_AGAIN", "UND_ERR_SOCKET"]);

/** Codes that only say something to who knows Node's fetch. */
const words: Readonly<Record<string, string>> = {
  UND_ERR_SOCKET: "the connection broke",
  UND_ERR_CONNECT_TIMEOUT: "no connection for 10 s",
  UND_ERR_HEADERS_TIMEOUT: "no answer for 300 s",
  UND_ERR_BODY_TIMEOUT: "nothing more of the answer for 300 s",
};

/** Code or message of why a request failed; fetch hides it in the cause. */
function codeOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (inner instanceof Error) return "code" in inner && typeof inner.code === "string" ? inner.code : inner.message;
  return String(inner);
}

/** Why a request failed. */
export const reasonOf = (error: unknown): string => words[codeOf(error)] ?? codeOf(error);

/** Milliseconds to wait before the next request: what the server asks for, else twice as long each time. */
function waitOf(response: Response | undefined, attempt: number): number {
  const asked = response?.headers.get("retry-after") ?? "";
  const seconds = /^\d+$/.test(asked) ? Number(asked) : (Date.parse(asked) - Date.now()) / 1000;
  const wait = Number.isFinite(seconds) ? 1000 * seconds : firstWait * 2 ** (attempt - 1);
  return Math.min(Math.max(0, wait), longestWait);
}

let interrupted: AbortSignal | undefined;

/** Ends every request, and the wait for the next one, when the signal of the program fires. */
export function endFetchesAt(signal: AbortSignal): void {
  interrupted = signal;
}

/**
 * fetch that asks again, a few times, where the answer is "later" (408, 429, 5xx) or the connection breaks. The last answer is
 * handed back whatever it is.
 */
export const patientFetch: typeof fetch = async (input, init) => {
  const signal = init?.signal ?? interrupted ?? null;
  for (let attempt = 1; ; attempt++) {
    let response: Response | undefined;
    try {
      response = await fetch(input, { ...init, signal });
      if (!later.has(response.status) || attempt >= attempts) return response;
      await response.body?.cancel();
    } catch (error) {
      if (attempt >= attempts || !mendable.has(codeOf(error))) throw error;
    }
    await delay(waitOf(response, attempt), undefined, signal ? { signal } : {});
  }
};

/** The Hub answers questions with a few megabytes at most, and sends them at once. */
const longestAnswer = 64 * 2 ** 20;
const answerSeconds = 60;

/** @throws {RangeError} on an answer that is too long, or does not end */
async function readAnswer(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const start = performance.now();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > longestAnswer) throw new RangeError(`more than ${longestAnswer / 2 ** 20} MiB`);
    if (performance.now() - start > 1000 * answerSeconds) throw new RangeError(`no end after ${answerSeconds} s`);
  }
  return Buffer.concat(pieces);
}

/** `patientFetch` for questions whose answer is read as a whole: of a limited length and time. */
export const fetchAnswer: typeof fetch = async (input, init) => {
  const response = await patientFetch(input, init);
  const body = response.body === null ? null : await readAnswer(response.body as AsyncIterable<Uint8Array>);
  return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
};
