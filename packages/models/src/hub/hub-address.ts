import { UsageError } from "@mbs/contracts";

/** A model on the Hub at a revision. */
export interface HubAddress {
  /** "org/name", or "name" for the oldest models. */
  readonly name: string;
  /** A branch, a tag or a commit; "main" where none is given. */
  readonly revision: string;
}

const scheme = "hf:";
const pattern = /^((?:[A-Za-z0-9][\w.-]*\/)?[A-Za-z0-9][\w.-]*)(?:@([A-Za-z0-9][\w./-]*))?$/;

/** Whether a model is named by its place on the Hub instead of a folder. */
export const isHubAddress = (model: string): boolean => model.startsWith(scheme);

/** Parses "hf:org/name@revision". @throws {UsageError} when it is not of this form */
export function parseHubAddress(address: string): HubAddress {
  const [, name, revision = "main"] = pattern.exec(address.slice(scheme.length)) ?? [];
  // Both become parts of paths.
  if (name === undefined || `${name}/${revision}`.includes("..")) {
    throw new UsageError(`${address} is no model on the Hub; write hf:org/name or hf:org/name@revision`, { model: address });
  }
  return { name, revision };
}
