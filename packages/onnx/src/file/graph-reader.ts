import { at, BadDataError } from "@mbs/contracts";
import type { Dimension } from "../graph-builder.ts";
import { decodeMessage } from "../onnx-messages.ts";
import type { ValueMessage } from "../onnx-messages.ts";
import type { ByteSource, Span } from "./byte-source.ts";
import { checkDomains, checkOrder, checkCrashes } from "./graph-checks.ts";
import { graphField, modelField } from "./graph-file.ts";
import type { GraphFile, GraphTensor, GraphValue } from "./graph-file.ts";
import { nodeOf } from "./graph-node.ts";
import { walkFields } from "./protobuf-fields.ts";
import type { Field } from "./protobuf-fields.ts";

/** Protobuf's limit of one message. */
const fileLimit = 2 ** 31 - 1;
/** Up to this size values stay in the message: shapes, scalars. */
const smallBytes = 1024;

const tensorField = { floats: 4, raw: 9, doubles: 10 } as const;

/** @throws {BadDataError} */
function decodeField<Name extends Parameters<typeof decodeMessage>[0]>(name: Name, source: ByteSource, span: Span) {
  const bytes = source.read(span.offset, span.length);
  try {
    return decodeMessage(name, bytes);
  } catch (cause) {
    const { path } = source;
    throw new BadDataError(
      `${path}: ${name} at byte ${span.offset} is broken; the file is cut short or no ONNX model`,
      { file: path },
      { cause },
    );
  }
}

function readTensor(source: ByteSource, field: Field): GraphTensor {
  const rest: Uint8Array[] = [];
  let inline: Span | undefined;
  for (const part of walkFields(source, field.value, "a tensor")) {
    const isValues = part.number === tensorField.raw || part.number === tensorField.floats || part.number === tensorField.doubles;
    const whole = isValues && part.delimited && inline === undefined;
    if (whole) inline = part.value;
    if (!whole || part.value.length <= smallBytes) rest.push(source.read(part.span.offset, part.span.length));
  }
  const bytes = Buffer.concat(rest);
  const inMemory: ByteSource = {
    ...source,
    path: source.path,
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  };
  const message = decodeField("TensorProto", inMemory, { offset: 0, length: bytes.length });
  const external =
    message.dataLocation === 1 ? new Map((message.externalData ?? []).map(({ key, value }) => [key, value])) : undefined;
  return {
    name: message.name ?? "",
    type: message.dataType,
    dims: message.dims.map(Number),
    ...(external === undefined && inline !== undefined && { inline }),
    ...(external !== undefined && { external }),
    message,
    span: field.span,
  };
}

function valueOf({ name, type }: ValueMessage): GraphValue {
  const tensor = type?.tensorType;
  const dims = tensor?.shape?.dim.map(({ dimValue, dimParam }): Dimension => dimParam || Number(dimValue ?? 0));
  return { name, type: tensor?.elemType ?? 0, dims };
}

/**
 * Reads an ONNX model without the values of its tensors.
 *
 * @throws {BadDataError} where the file is no ONNX model, is cut short, or contradicts itself, naming byte, node or tensor
 */
export function readGraphFile(source: ByteSource): GraphFile {
  const { path, size } = source;
  if (size > fileLimit) {
    throw new BadDataError(`${path} has ${size} bytes, and an ONNX file ends at 2 GiB; export it with external data`, {
      file: path,
      size,
    });
  }
  const modelFields = [...walkFields(source, { offset: 0, length: size }, "the model")];
  const graphs = modelFields.filter(({ number, delimited }) => number === modelField.graph && delimited);
  const [graph] = graphs;
  if (graph === undefined || graphs.length > 1) {
    throw new BadDataError(`${path} has ${graphs.length} graphs; it is cut short or no ONNX model`, { file: path });
  }
  const graphFields = [...walkFields(source, graph.value, "the graph")];
  const of = (number: number): Field[] => graphFields.filter((field) => field.number === number && field.delimited);
  if (of(graphField.sparse).length > 0)
    throw new BadDataError(`${path} has sparse tensors, which are not read; export it without`, { file: path });
  const tensors = new Map<string, GraphTensor>();
  for (const field of of(graphField.tensor)) {
    const tensor = readTensor(source, field);
    if (tensors.has(tensor.name))
      throw new BadDataError(`${path} has two tensors ${tensor.name}; export the model again`, {
        file: path,
        tensor: tensor.name,
      });
    tensors.set(tensor.name, tensor);
  }
  const values = (number: number): GraphValue[] =>
    of(number).map((field) => valueOf(decodeField("ValueInfoProto", source, field.value)));
  const file = {
    path,
    irVersion: irVersionOf(source, modelFields),
    opsets: modelFields
      .filter(({ number, delimited }) => number === modelField.opset && delimited)
      .map((field) => decodeField("OperatorSetIdProto", source, field.value)),
    nodes: of(graphField.node).map((field) => nodeOf(decodeField("NodeProto", source, field.value), field.span)),
    tensors,
    inputs: values(graphField.input).filter(({ name }) => !tensors.has(name)),
    outputs: values(graphField.output),
    modelFields,
    graphFields,
    source,
  };
  checkCrashes(file);
  checkDomains(file);
  checkOrder(file);
  return file;
}

/** The version is a number of one byte in every file so far. */
function irVersionOf(source: ByteSource, fields: readonly Field[]): number {
  const field = fields.find(({ number, delimited }) => number === modelField.irVersion && !delimited);
  return field === undefined ? 0 : at(source.read(field.value.offset, 1), 0);
}
