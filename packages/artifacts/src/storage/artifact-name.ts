import { UsageError } from "@mbs/contracts";
import { isAddress } from "../content-address.ts";
import { isTemporaryOf } from "./temporary/temporary-name.ts";

const extension = ".arrow";

/**
 * What a temporary file in a store's folder is named after: what is being written has no address yet. So a store knows the files
 * that killed processes left there.
 */
export const unnamedArtifact = "artifact";

/** @throws {UsageError} on what is no address; such a text must not become a part of a path */
export function requireAddress(address: string): void {
  if (isAddress(address)) return;
  const beginning = address.slice(0, 80);
  throw new UsageError(`${JSON.stringify(beginning)} is no address: 64 digits 0-9a-f are`, { address: beginning });
}

/** The name of an artifact's file. @throws {UsageError} on what is no address */
export function artifactName(address: string): string {
  requireAddress(address);
  return address + extension;
}

/** The address of the artifact whose file has a name; undefined for any other file. */
export function addressOfName(name: string): string | undefined {
  const address = name.endsWith(extension) ? name.slice(0, -extension.length) : undefined;
  return isAddress(address) ? address : undefined;
}

/** Whether a store gives such names to its files; files of other names are not its own. */
export const isStoreName = (name: string): boolean => addressOfName(name) !== undefined || isTemporaryOf(unnamedArtifact, name);
