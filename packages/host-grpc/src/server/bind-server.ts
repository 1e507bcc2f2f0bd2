import type { Server, ServerCredentials } from "@grpc/grpc-js";
import { DeniedError, InputOutputError } from "@mbs/contracts";
import type { MbsError } from "@mbs/contracts";

const unknownHost = "the host is not known; check its name, or give its address";

const remedies = (option: string): Readonly<Record<string, string>> => ({
  EADDRINUSE: `the port is taken; end the program that has it, or give another ${option}`,
  EADDRNOTAVAIL: `this machine has no such address; give ${option} one of its own, or 0.0.0.0 for all of them`,
  ENOTFOUND: unknownHost,
  EAI_AGAIN: unknownHost,
});

/**
 * Why a server cannot listen.
 *
 * @param place address and port, as the user gave them
 * @param option to which they were given
 * @param cause has the code of the system in its message; that of grpc-js has it there alone
 */
export function listenError(place: string, option: string, cause: Error): MbsError {
  const what = `cannot listen at ${place}`;
  const [, code = ""] = /\b(E[A-Z_]+)\b/.exec(cause.message) ?? [];
  if (code === "EACCES") {
    return new DeniedError(`${what}: this user may not take the port; give ${option} one from 1024 on`, { code }, { cause });
  }
  const remedy = remedies(option)[code];
  if (remedy !== undefined) return new InputOutputError(`${what}: ${remedy}`, { code }, { cause });
  if (cause.message.startsWith("Name resolution failed")) {
    return new InputOutputError(`${what}: ${unknownHost}`, {}, { cause });
  }
  return new InputOutputError(`${what} (${cause.message}); give another ${option}`, {}, { cause });
}

/**
 * Begins to take calls.
 *
 * @param address host and port
 * @param listen as the user gave it
 * @returns the port
 * @throws {DeniedError} where the user may not take the port
 * @throws {InputOutputError} where the port is taken, or the address is none of this machine
 */
export const bindServer = (server: Server, address: string, credentials: ServerCredentials, listen: string): Promise<number> =>
  new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) =>
      error ? reject(listenError(listen, "--listen", error)) : resolve(port),
    );
  });
