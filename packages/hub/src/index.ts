export { streamBytes } from "./byte-stream.ts";
export type { HubFile } from "./download-file.ts";
export { fetchProgress } from "./fetch-progress.ts";
export { isOffline, parseRepository } from "./hub-access.ts";
export type { HubAddress, HubRepository } from "./hub-access.ts";
export { cachedCommit, cacheFolder, cachedFile, fetchAlone, fetchFile, recordCommit, snapshotFolder } from "./hub-cache.ts";
export { pinnedAddress, pinRevisions, revisionsOf } from "./pinned-revisions.ts";
export type { Revisions } from "./pinned-revisions.ts";
export { askForCommit, fileUrl, isCommit, listFiles, requireHashes } from "./hub-files.ts";
