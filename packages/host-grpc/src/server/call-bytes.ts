import { formatBytes, InputOutputError } from "@mbs/contracts";
import { bytesOf } from "../protocol/messages.ts";
import type { FlightData } from "../protocol/messages.ts";

/**
 * The messages of a call, as long as they have no more bytes together than the limit.
 *
 * @throws {InputOutputError} on the message that goes beyond it
 */
export async function* withinBytes(incoming: AsyncIterable<FlightData>, limit: number): AsyncGenerator<FlightData> {
  let bytes = 0;
  for await (const message of incoming) {
    bytes += bytesOf(message);
    if (bytes > limit) {
      throw new InputOutputError(
        `the call has sent more than ${formatBytes(limit)}, the most that this server takes; send less, or raise --call-bytes there`,
        { limit },
      );
    }
    yield message;
  }
}
