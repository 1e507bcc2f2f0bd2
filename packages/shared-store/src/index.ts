export { artifactKind, verifyArtifact } from "./artifact-check.ts";
export { openSharedStore } from "./open-shared-store.ts";
export type { OpenStoreOptions } from "./open-shared-store.ts";
export { neededBy, pruneStore, readOverview, removalBatches } from "./prune-store.ts";
export type { PruneOptions, Pruned, StoreOverview } from "./prune-store.ts";
export type { KeptArtifact, KeptNeeds, RunNeeds, SharedStore, StoreCall } from "./shared-store.ts";
