/** Requests before an answer counts. */
const attempts = 5;
const firstWait = 500;
const longestWait = 60_000;

/** Answers that mean "later": too many requests, and a server or a gateway that is in trouble. */
const later: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** Broken connections that a new one may mend. A refused one, or a name that is not known, stays so. */
const mendable: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT", "EAI_AGAIN", "UND_ERR_SOCKET"]);

/** Why a request failed; fetch hides it in the cause. */
export function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (inner instanceof Error) return "code" in inner && typeof inner.code === "string" ? inner.code : inner.message;
  return String(inner);
}

/** Milliseconds to wait before the next request: what the server asks for, else twice as long each time. */
function waitOf(response: Response | undefined, attempt: number): number {
  const asked = response?.headers.get("retry-after") ?? "";
  const seconds = /^\d+$/.test(asked) ? Number(asked) : (Date.parse(asked) - Date.now()) / 1000;
  const wait = Number.isFinite(seconds) ? 1000 * seconds : firstWait * 2 ** (attempt - 1);
  return Math.min(Math.max(0, wait), longestWait);
}

/**
 * fetch that asks again, a few times, where the answer is "later" (408, 429, 5xx) or the connection breaks. The last answer is
 * handed back whatever it is.
 */
export const patientFetch: typeof fetch = async (input, init) => {
  for (let attempt = 1; ; attempt++) {
    let response: Response | undefined;
    try {
      response = await fetch(input, init);
      if (!later.has(response.status) || attempt >= attempts) return response;
      await response.body?.cancel();
    } catch (error) {
      if (attempt >= attempts || !mendable.has(reasonOf(error))) throw error;
    }
    const wait = waitOf(response, attempt);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
};
