import { InternalError, type ArtifactStream, type Schema } from "@mbs/contracts";

/** One FlightData message: `header` goes to data_header, `body` to data_body. */
export interface FlightMessage {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}
export function encodeFlight(_stream: ArtifactStream): AsyncIterable<FlightMessage> {
  throw new InternalError("soon");
}
export function decodeFlight(_messages: AsyncIterable<FlightMessage>): Promise<ArtifactStream> {
  throw new InternalError("soon");
}
export function encodeSchemaMessage(_schema: Schema): Uint8Array {
  throw new InternalError("soon");
}
