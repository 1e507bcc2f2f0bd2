import type { Server } from "@grpc/grpc-js";
import { fromJSON, loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation, protoPath } from "grpc-health-check";
import descriptor from "protobufjs/ext/descriptor.js";
import { descriptors } from "../protocol/descriptors.ts";

/** The service of Flight, as health knows it. */
const flightName = "arrow.flight.protocol.FlightService";

type PackageDefinition = ReturnType<typeof loadSync>;
type Message = descriptor.IDescriptorProto;

/** `statuses` → `StatusesEntry`: how protoc names the message of an entry, which clients check. */
const entryName = (field: string): string =>
  `${field.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())}Entry`;

/** Gives the entries of maps the names that protoc gives them: protobufjs names them like their fields, and clients in Go refuse that. */
function nameEntries({ field: fields, nestedType: nested }: Message): void {
  for (const entry of nested ?? []) {
    nameEntries(entry);
    const field = entry.options?.mapEntry === true ? fields?.find(({ typeName }) => typeName === entry.name) : undefined;
    if (typeof field?.name !== "string") continue;
    field.typeName = entryName(field.name);
    entry.name = field.typeName;
  }
}

/** A serialised file that describes maps as protoc does. */
function withEntryNames(bytes: Buffer): Buffer {
  const file = descriptor.FileDescriptorProto.decode(bytes) as descriptor.IFileDescriptorProto & object;
  for (const message of file.messageType ?? []) nameEntries(message);
  return Buffer.from(descriptor.FileDescriptorProto.encode(file).finish());
}

/** A definition of such files. Each of its messages has all of them, so that each is made once. */
function withEntryNamesInFiles(definition: PackageDefinition): PackageDefinition {
  const known = new Map<Buffer, Buffer>();
  const named = (bytes: Buffer): Buffer => {
    const made = known.get(bytes) ?? withEntryNames(bytes);
    known.set(bytes, made);
    return made;
  };
  return Object.fromEntries(
    Object.entries(definition).map(([name, own]) =>
      "fileDescriptorProtos" in own && Array.isArray(own.fileDescriptorProtos)
        ? [name, { ...own, fileDescriptorProtos: own.fileDescriptorProtos.map(named) }]
        : [name, own],
    ),
  );
}

/**
 * Adds gRPC's standard services: health (`grpc.health.v1`), of the server as a whole and of Flight, and reflection
 * (`grpc.reflection.v1` and `v1alpha`), which describes both. Health says SERVING until the server's calls end.
 */
export function addStandardServices(server: Server): void {
  new HealthImplementation({ "": "SERVING", [flightName]: "SERVING" }).addToServer(server);
  // its declaration takes no namespace within another
  const flight = fromJSON(descriptors as unknown as Parameters<typeof fromJSON>[0]);
  new ReflectionService(withEntryNamesInFiles({ ...flight, ...loadSync(protoPath) })).addToServer(server);
}
