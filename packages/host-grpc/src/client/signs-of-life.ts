import { setTimeout as delay } from "node:timers/promises";
import type { FlightMessage } from "@mbs/artifacts";
import type { FlightData } from "../protocol/messages.ts";

/**
 * The messages of an artifact, with an empty one, which every reader passes over, whenever the next takes long to come: a
 * server then knows that its client is there, however slow the client's own input is.
 *
 * @param everyMs milliseconds between two empty messages
 */
export async function* withSignsOfLife(messages: AsyncIterable<FlightMessage>, everyMs: number): AsyncGenerator<FlightData> {
  const iterator = messages[Symbol.asyncIterator]();
  try {
    let next = iterator.next();
    for (;;) {
      const came = new AbortController();
      const silence = delay(everyMs, undefined, { signal: came.signal }).catch(() => undefined);
      const found = await Promise.race([next, silence]);
      came.abort();
      if (found === undefined) yield {};
      else if (found.done === true) return;
      else {
        yield { dataHeader: found.value.header, dataBody: found.value.body };
        next = iterator.next();
      }
    }
  } finally {
    await iterator.return?.();
  }
}
