import { BadDataError, InterruptedError } from "@mbs/contracts";
import { cachedFile, fetchAlone, isOffline, requireHashes } from "@mbs/hub";
import type { HubAddress, HubFile } from "@mbs/hub";
import { datasetPresets } from "../datasets/dataset-presets.ts";
import { findShards } from "../datasets/dataset-shards.ts";
import { fetchWhole, hubFiles, notCached, openDataset } from "../datasets/hub-dataset.ts";
import type { FoundDataset } from "../datasets/hub-dataset.ts";
import { describeSplit, rowFile } from "./row.ts";
import type { ReadRowsOptions, RowFile, RowsDataset } from "./row.ts";
import { requireAllShards } from "./shard-numbers.ts";

/** Where the Hub keeps what its own program read of a dataset, whatever form its files have. */
const convertedRevision = "refs/convert/parquet";

interface HubShards {
  readonly dataset: FoundDataset;
  readonly shards: readonly HubFile[];
}

/** The files of a split among those that the Hub converted; none where it converted none. */
async function findConverted(address: HubAddress, { name, split }: RowsDataset): Promise<HubShards | undefined> {
  try {
    const dataset = await openDataset({ ...address, revision: convertedRevision });
    const files = await hubFiles(dataset).list("");
    const configs = new Set(files.map(({ path }) => path.split("/")[0]));
    const config = name ?? (configs.size === 1 ? [...configs][0] : "default");
    const shards = files.filter(({ path }) => path.startsWith(`${config}/${split}/`) && path.endsWith(".parquet"));
    return shards.length > 0 ? { dataset, shards } : undefined;
  } catch (error) {
    if (error instanceof BadDataError) return undefined;
    throw error;
  }
}

async function findHubShards(wanted: RowsDataset): Promise<HubShards> {
  const { path, name, split } = wanted;
  const preset = datasetPresets.get(path);
  const text = `hf:datasets/${path}`;
  const address: HubAddress = { repository: { type: "dataset", name: path }, revision: preset?.revision ?? "main", text };
  const dataset = await openDataset(address);
  const keys = { config: "dataset_name", split: "the name of the split" };
  const { shards, where } = await findShards(hubFiles(dataset), { config: name, split, path: undefined }, preset, keys);
  const found = shards.length > 0 ? { dataset, shards } : await findConverted(address, wanted);
  if (found !== undefined) return found;
  throw new BadDataError(
    `${text} has no .parquet, .jsonl or .jsonl.gz file for ${where}, and the Hub none at ${convertedRevision}; check dataset_name and split, or give a folder of rows with ${describeSplit(wanted)}`,
    { dataset: path },
  );
}

/**
 * The files of a split on the Hub, fetched into its cache and checked by their hashes.
 *
 * @throws {BadDataError} where there are none, or access is denied
 * @throws {InputOutputError} where the Hub cannot be reached, or an offline program does not have them in its cache
 */
export async function fetchRowFiles(wanted: RowsDataset, { signal, progress }: ReadRowsOptions): Promise<readonly RowFile[]> {
  const { dataset, shards } = await findHubShards(wanted);
  const { address, storage } = dataset;
  requireHashes(address, shards);
  requireAllShards(
    shards.map(({ path }) => path),
    address.text,
  );
  const files: RowFile[] = [];
  for (const shard of [...shards].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    if (signal?.aborted) throw new InterruptedError(`${address.text}: stopped`);
    if (isOffline() && (await cachedFile(storage, shard)) === undefined) throw notCached(address, storage, shard.path);
    files.push(rowFile(await fetchAlone(storage, () => fetchWhole(dataset, shard, progress))));
  }
  return files;
}
