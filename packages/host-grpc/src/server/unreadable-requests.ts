import type { ServiceDefinition } from "@grpc/grpc-js";

const unreadable = Symbol("a request that cannot be decoded");

/** Whether a request came that is no message of its method. */
export const isUnreadable = (message: unknown): boolean => message === unreadable;

/**
 * A service that hands requests which are no messages of their methods to its interceptors. The library would end such a call by
 * itself, as an INTERNAL fault of the server, and tell nobody.
 */
export const withUnreadable = (service: ServiceDefinition): ServiceDefinition =>
  Object.fromEntries(
    Object.entries(service).map(([name, method]) => {
      const requestDeserialize = (bytes: Buffer): unknown => {
        try {
          return method.requestDeserialize(bytes);
        } catch {
          return unreadable;
        }
      };
      return [name, { ...method, requestDeserialize }];
    }),
  );
