import { createSession, floatTensor, floatValues, GraphBuilder, integerTensor } from "@mbs/onnx";
import type { Session } from "@mbs/onnx";

/** Losses of tokens given logits. */
export interface LogitLosses {
  /**
   * @param logits [rows, vocabulary]
   * @param next the token after each row
   * @returns nats, one a row
   */
  of(logits: Float32Array, next: Int32Array): Promise<Float32Array>;
  close(): Promise<void>;
}

function lossGraph(): Uint8Array {
  const graph = new GraphBuilder("losses");
  const shares = graph.node("LogSoftmax", [graph.input("logits", "float32", ["T", "V"])], { attributes: { axis: -1 } });
  const next = graph.input("next", "int64", ["T", 1]);
  const logs = graph.node("GatherElements", [shares, next], { attributes: { axis: 1 } });
  graph.output("losses", graph.node("Neg", [logs]), "float32");
  return graph.build();
}

export function createLogitLosses(threads: number): LogitLosses {
  let session: Promise<Session> | undefined;
  return {
    async of(logits, next) {
      session ??= createSession(lossGraph(), { threads });
      const { length } = next;
      const feeds = { logits: floatTensor(logits, [length, logits.length / length]), next: integerTensor(next, [length, 1]) };
      return floatValues(await (await session).run(feeds), "losses");
    },
    async close() {
      await (await session)?.release();
      session = undefined;
    },
  };
}
