import { collect, encodeFlight, encodeStatistics } from "@mbs/artifacts";
import type { FlightData } from "../../packages/host-grpc/src/protocol/messages.ts";

/** Statistics of three channels as messages of Flight: what `factor` reads in a moment. */
export async function smallArtifact(): Promise<readonly FlightData[]> {
  const metadata = { model: "m", tokenizer: "t", propagation: "dense", unit: "E[x xᵀ] a token", mix: { en: 1 } };
  const values = Float32Array.of(3, 1, 1, 3, 1, 3);
  const gram = { block: "h.0", site: "qkv", language: "en", kind: "gram", tokens: 1000, width: 3, values } as const;
  const sent = await collect(encodeFlight(encodeStatistics([gram], metadata)));
  return sent.map(({ header, body }) => ({ dataHeader: header, dataBody: body }));
}
