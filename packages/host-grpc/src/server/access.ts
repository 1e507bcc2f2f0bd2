import type { Metadata } from "@grpc/grpc-js";
import { DeniedError } from "@mbs/contracts";
import { flightService } from "../protocol/flight-service.ts";
import { UnauthenticatedError } from "../protocol/status.ts";
import { scopes } from "./tokens.ts";
import type { Caller, Scope, Tokens } from "./tokens.ts";

/** What a call takes: a token with a scope, any token, or none. */
export type Need = Scope | "any token" | "no token";

const { listFlights, getFlightInfo, getSchema, doGet, doPut, doExchange } = flightService;

/** What the methods take. Those that are not here take any token. */
const needs: ReadonlyMap<string, Need> = new Map<string, Need>([
  [listFlights.path, "read"],
  [getFlightInfo.path, "read"],
  [getSchema.path, "read"],
  [doGet.path, "read"],
  [doPut.path, "write"],
  [doExchange.path, "run"],
  ["/grpc.health.v1.Health/Check", "no token"],
  ["/grpc.health.v1.Health/Watch", "no token"],
  ["/grpc.health.v1.Health/List", "no token"],
]);

/** What the actions of DoAction take beyond that. */
export const actionNeeds = { "list-stages": "any token", "delete-artifact": "delete" } as const satisfies Record<string, Need>;
export type ActionName = keyof typeof actionNeeds;

/** Whether a call takes no token. */
export const isOpenToAll = (path: string): boolean => needs.get(path) === "no token";

/** The caller of a server without tokens: anyone who reaches the port may do everything. */
const anyone: Caller = { name: "", scopes: new Set(scopes) };

/** @throws {DeniedError} naming the scope that is missing */
export function requireScope({ name, scopes: allowed }: Caller, need: Need, what: string): void {
  if (need === "any token" || need === "no token" || allowed.has(need)) return;
  throw new DeniedError(
    `the token of ${name} has no scope "${need}", which ${what} takes; use a token with it, or ask for it in the server's file of tokens`,
    { scope: need },
  );
}

/**
 * Who calls.
 *
 * @param tokens undefined on a server without tokens
 * @throws {UnauthenticatedError} without a token, or with one that the server does not know
 * @throws {DeniedError} where the token's scopes do not cover the method
 */
export function admit(path: string, metadata: Metadata, tokens: Tokens | undefined): Caller {
  const need = needs.get(path) ?? "any token";
  if (need === "no token") return { name: "", scopes: new Set() };
  if (tokens === undefined) return anyone;
  const [, token] = /^bearer (\S+)$/i.exec(String(metadata.get("authorization")[0])) ?? [];
  if (token === undefined) {
    throw new UnauthenticatedError("the call has no token; send the header authorization: Bearer TOKEN (mbs: --token-file FILE)");
  }
  const caller = tokens.find(token);
  if (caller === undefined) {
    throw new UnauthenticatedError("the server does not know the token of the call; check it, or ask for one");
  }
  requireScope(caller, need, path.slice(path.lastIndexOf("/") + 1));
  return caller;
}
