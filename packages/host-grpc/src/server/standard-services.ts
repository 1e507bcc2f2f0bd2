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
    if (entry.options?.mapEntry !== true) continue;
    for (const field of fields ?? []) {
      if (field.typeName !== entry.name || typeof field.name !== "string") continue;
      field.typeName = entryName(field.name);
      entry.name = field.typeName;
      break;
    }
  }
}

/** A definition whose files describe maps as protoc does. */
const withEntryNames = (definition: PackageDefinition): PackageDefinition =>
  Object.fromEntries(
    Object.entries(definition).map(([name, own]) => {
      if (!("fileDescriptorProtos" in own) || !Array.isArray(own.fileDescriptorProtos)) return [name, own];
      const fileDescriptorProtos = own.fileDescriptorProtos.map((bytes) => {
        const file = descriptor.FileDescriptorProto.decode(bytes) as descriptor.IFileDescriptorProto & object;
        for (const message of file.messageType ?? []) nameEntries(message);
        return Buffer.from(descriptor.FileDescriptorProto.encode(file).finish());
      });
      return [name, { ...own, fileDescriptorProtos }];
    }),
  );

/**
 * Adds gRPC's standard services: health (`grpc.health.v1`), of the server as a whole and of Flight, and reflection
 * (`grpc.reflection.v1` and `v1alpha`), which describes both. Health says SERVING until the server's calls end.
 */
export function addStandardServices(server: Server): void {
  new HealthImplementation({ "": "SERVING", [flightName]: "SERVING" }).addToServer(server);
  // its declaration takes no namespace within another
  const flight = fromJSON(descriptors as unknown as Parameters<typeof fromJSON>[0]);
  new ReflectionService(withEntryNames({ ...flight, ...loadSync(protoPath) })).addToServer(server);
}
