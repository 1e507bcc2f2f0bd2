import type { Server } from "@grpc/grpc-js";
import { fromJSON, loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation, protoPath } from "grpc-health-check";
import { descriptors } from "../protocol/descriptors.ts";

/** The service of Flight, as health knows it. */
const flightName = "arrow.flight.protocol.FlightService";

/**
 * Adds gRPC's standard services: health (`grpc.health.v1`), of the server as a whole and of Flight, and reflection
 * (`grpc.reflection.v1` and `v1alpha`), which describes both. Health says SERVING until the server's calls end.
 */
export function addStandardServices(server: Server): void {
  new HealthImplementation({ "": "SERVING", [flightName]: "SERVING" }).addToServer(server);
  // its declaration takes no namespace within another
  const flight = fromJSON(descriptors as unknown as Parameters<typeof fromJSON>[0]);
  new ReflectionService({ ...flight, ...loadSync(protoPath) }).addToServer(server);
}
