import type { ByteSource, Span } from "../file/byte-source.ts";
import { graphField, modelField } from "../file/graph-file.ts";
import type { GraphFile } from "../file/graph-file.ts";
import type { GraphNode } from "../file/graph-node.ts";
import { decodeMessage, encodeMessage } from "../onnx-messages.ts";

/** Replacements for parts of a graph. Everything else is copied, byte for byte. */
export interface GraphChange {
  /** Node → serialised nodes that replace it; an empty list drops it. */
  readonly nodes: ReadonlyMap<GraphNode, readonly Uint8Array[]>;
  /** Names of tensors to drop. */
  readonly dropped: ReadonlySet<string>;
  /** Names of tensors whose values are elsewhere now: `tensors` has their replacements. */
  readonly moved: ReadonlySet<string>;
  /** Serialised tensors to add. */
  readonly tensors: readonly Uint8Array[];
  /** Operator domains to add, with their versions. */
  readonly domains: ReadonlyMap<string, number>;
}

/** Bytes of a source in memory at a time. */
const pieceBytes = 4 * 1024 * 1024;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

/** Tag and length of a field that is a message. */
const heading = (number: number, length: number): Uint8Array => Uint8Array.from([...varint(number * 8 + 2), ...varint(length)]);

const messageField = (number: number, bytes: Uint8Array): Uint8Array[] => [heading(number, bytes.length), bytes];

function* copy(source: ByteSource, { offset, length }: Span): Generator<Uint8Array> {
  for (let at = 0; at < length; at += pieceBytes) yield source.read(offset + at, Math.min(pieceBytes, length - at));
}

const lengthOf = (piece: Span | Uint8Array): number => piece.length;

/** The fields of the changed graph: bytes, or where they are to be copied from. */
function graphPieces(graph: GraphFile, { nodes, dropped, moved, tensors }: GraphChange): (Span | Uint8Array)[] {
  const newNodes = new Map([...nodes].map(([node, messages]) => [node.span.offset, messages]));
  const replaced = [...graph.tensors.values()].filter(({ name }) => dropped.has(name) || moved.has(name));
  const replacedFields = new Set(replaced.map(({ span }) => span.offset));
  /** Older files list their constants among the inputs. */
  const isDroppedInput = (value: Span): boolean =>
    dropped.has(decodeMessage("ValueInfoProto", graph.source.read(value.offset, value.length)).name);
  const pieces = graph.graphFields.flatMap(({ number, span, value }): (Span | Uint8Array)[] => {
    if (replacedFields.has(span.offset) || (number === graphField.input && isDroppedInput(value))) return [];
    return newNodes.get(span.offset)?.flatMap((message) => messageField(graphField.node, message)) ?? [span];
  });
  return [...pieces, ...tensors.flatMap((message) => messageField(graphField.tensor, message))];
}

/** The model with a changed graph, piece by piece; unchanged parts are read when they are written. */
export function* changedGraph(graph: GraphFile, change: GraphChange): Generator<Uint8Array> {
  const pieces = graphPieces(graph, change);
  const length = pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
  for (const field of graph.modelFields) {
    if (field.number !== modelField.graph) {
      yield* copy(graph.source, field.span);
      continue;
    }
    yield heading(modelField.graph, length);
    for (const piece of pieces) {
      if (piece instanceof Uint8Array) yield piece;
      else yield* copy(graph.source, piece);
    }
  }
  for (const [domain, version] of change.domains) {
    if (graph.opsets.some((opset) => opset.domain === domain)) continue;
    yield* messageField(modelField.opset, encodeMessage("OperatorSetIdProto", { domain, version }));
  }
}
