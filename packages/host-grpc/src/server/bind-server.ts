import type { Server, ServerCredentials } from "@grpc/grpc-js";
import { DeniedError, InputOutputError } from "@mbs/contracts";
import type { MbsError } from "@mbs/contracts";

const remedies: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is taken; end the program that has it, or give another --listen",
  EADDRNOTAVAIL: "this machine has no such address; give --listen one of its own, or 0.0.0.0 for all of them",
};

/**
 * Why a server cannot listen.
 *
 * @param listen as the user gave it
 * @param cause of grpc-js, which has the code of the system in its message alone
 */
export function listenError(listen: string, cause: Error): MbsError {
  const what = `cannot listen at ${listen}`;
  const [, code = ""] = /\b(E[A-Z]+)\b/.exec(cause.message) ?? [];
  if (code === "EACCES") {
    return new DeniedError(`${what}: this user may not take the port; give --listen one from 1024 on`, { code }, { cause });
  }
  const remedy = remedies[code];
  if (remedy !== undefined) return new InputOutputError(`${what}: ${remedy}`, { code }, { cause });
  if (cause.message.startsWith("Name resolution failed")) {
    return new InputOutputError(`${what}: the host is not known; check its name, or give its address`, {}, { cause });
  }
  return new InputOutputError(`${what} (${cause.message}); give another --listen`, {}, { cause });
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
    server.bindAsync(address, credentials, (error, port) => (error ? reject(listenError(listen, error)) : resolve(port)));
  });
