import type { HubAddress } from "./hub-access.ts";

/** Commits by repository and revision: "datasets/org/name@main" → commit. */
export type Revisions = Readonly<Record<string, string>>;

let pinned: Revisions = {};

const nameOf = ({ repository: { type, name }, revision }: HubAddress): string => `${type}s/${name}@${revision}`;

/** Takes these commits for these revisions from now on in this process, without asking the Hub, and asks for all others. */
export function pinRevisions(revisions: Revisions): void {
  pinned = revisions;
}

/** The address with its commit in the place of the revision, where that is pinned. */
export const pinnedAddress = (address: HubAddress): HubAddress => ({
  ...address,
  revision: pinned[nameOf(address)] ?? address.revision,
});

/** Which commits revisions were found to be, for `pinRevisions`; those that were named by their commit need no pin. */
export const revisionsOf = (found: Iterable<readonly [address: HubAddress, commit: string]>): Revisions =>
  Object.fromEntries(
    [...found].filter(([{ revision }, commit]) => revision !== commit).map(([address, commit]) => [nameOf(address), commit]),
  );
