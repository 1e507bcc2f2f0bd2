import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BadDataError, InterruptedError } from "@mbs/contracts";
import type { Progress } from "@mbs/contracts";
import { cachedFile, fetchAlone, fetchProgress, fileUrl, isOffline, requireHashes, revisionsOf, streamBytes } from "@mbs/hub";
import type { HubFile, Revisions } from "@mbs/hub";
import { originField, toolsField } from "../corpus.ts";
import type { CorpusFields, CorpusRow } from "../corpus.ts";
import type { FaultCount } from "../formats/fault-count.ts";
import { readJsonLines } from "../formats/jsonl.ts";
import type { ByteRange } from "../formats/parquet-file.ts";
import type { DatasetName, DatasetPart } from "./dataset-name.ts";
import { datasetPresets } from "./dataset-presets.ts";
import { findShards } from "./dataset-shards.ts";
import { fetchWhole, hubFiles, notCached, openDataset } from "./hub-dataset.ts";
import type { FoundDataset } from "./hub-dataset.ts";
import { writeLinesExcerpt } from "./lines-excerpt.ts";

/** Texts of one language in a dataset of the Hub. */
export interface DatasetTexts {
  readonly format: "dataset";
  readonly name: DatasetName;
  readonly dataset: FoundDataset;
  /** Its files, of which the first ones with enough rows are read. */
  readonly shards: readonly HubFile[];
}

/** Files of at most this many bytes are fetched as a whole, and so checked by their hash. */
const fetchedWhole = 32 << 20;

/** One document in ten is held out. */
const heldOutOf = 10;

/**
 * Finds which files texts are in; fetches none of them.
 *
 * @throws {BadDataError} where there are none, or none that can be read or checked
 * @throws as openDataset
 */
export async function findDatasetTexts(name: DatasetName): Promise<DatasetTexts> {
  const dataset = await openDataset(name.address);
  const preset = datasetPresets.get(name.address.repository.name);
  const { shards, where } = await findShards(hubFiles(dataset), name, preset, { config: "config=", split: "split=" });
  if (shards.length === 0) {
    throw new BadDataError(
      `${name.address.text} has no .parquet, .jsonl or .jsonl.gz file for ${where}; name them with config=, split= or path=`,
      { dataset: name.address.text },
    );
  }
  requireHashes(name.address, shards);
  return { format: "dataset", name, dataset, shards };
}

/** Which commits the revisions of some texts are. */
export const datasetRevisions = (texts: readonly DatasetTexts[]): Revisions =>
  revisionsOf(texts.map(({ dataset: { address, commit } }) => [address, commit] as const));

/** What texts count by: which files there are, by their hashes, and which of their documents are taken. */
export const identityOf = ({ name, dataset, shards }: DatasetTexts): string =>
  JSON.stringify([
    dataset.address.repository.name,
    shards.map(({ path, size, etag }) => [path, size, etag]),
    name.field ?? "",
    name.rows,
    name.part ?? "",
  ]);

/** What reading listens to and reports to. */
export interface ReadingContext {
  readonly signal: AbortSignal | undefined;
  /** Called while bytes are fetched. */
  readonly progress: (progress: Progress) => void;
}

/** Bytes of a shard: of its copy in the cache, else of the Hub. */
async function openShard({ dataset }: DatasetTexts, shard: HubFile, context: ReadingContext): Promise<ByteRange> {
  const { address, commit, storage } = dataset;
  const { signal, progress } = context;
  const whole = shard.size <= fetchedWhole ? await fetchWhole(dataset, shard, progress) : await cachedFile(storage, shard);
  const url = fileUrl(address.repository, commit, shard.path);
  let fetched = 0;
  return {
    name: `${address.text}, ${shard.path}`,
    size: shard.size,
    async *bytes(start, end) {
      if (end <= start) return;
      const pieces =
        whole === undefined
          ? streamBytes(url, shard, start, end)
          : (createReadStream(whole, { start, end: end - 1, highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>);
      for await (const piece of pieces) {
        if (signal?.aborted) throw new InterruptedError(`${address.text}: stopped`);
        fetched += piece.length;
        if (whole === undefined) progress(fetchProgress(shard.path, fetched));
        yield piece;
      }
    },
  };
}

/** The path of a JSONL file with the fields of enough rows of a shard: it is in the cache, or made there. */
async function excerptOf(
  texts: DatasetTexts,
  shard: HubFile,
  { text, messages, target }: CorpusFields,
  rows: number,
  context: ReadingContext,
): Promise<string> {
  const { storage, address } = texts.dataset;
  const isParquet = shard.path.endsWith(".parquet");
  const wanted = [text, ...(messages === undefined ? [] : [messages])];
  const beside = target === undefined ? [originField, toolsField] : [originField, target];
  const key = createHash("sha256")
    .update(JSON.stringify([1, shard.etag, rows, ...(isParquet ? [wanted, beside] : [])]))
    .digest("hex");
  const path = join(storage, "mbs-excerpts", `${key}.jsonl`);
  const isThere = (): Promise<boolean> =>
    stat(path).then(
      () => true,
      () => false,
    );
  if (await isThere()) return path;
  if (isOffline() && (await cachedFile(storage, shard)) === undefined) {
    throw notCached(address, storage, `an excerpt of ${rows} rows of ${shard.path}`);
  }
  await fetchAlone(storage, async () => {
    if (await isThere()) return;
    const source = await openShard(texts, shard, context);
    await mkdir(dirname(path), { recursive: true });
    const unfinished = `${path}.incomplete`;
    if (isParquet) {
      const { writeParquetExcerpt } = await import("./parquet-excerpt.ts");
      await writeParquetExcerpt(source, wanted, beside, rows, unfinished);
    } else await writeLinesExcerpt(source, shard.path.endsWith(".gz"), rows, unfinished);
    await rename(unfinished, path);
  });
  return path;
}

/** The part that a document is in, by its text or conversation: the same one is never in both. */
function partOf(content: CorpusRow["content"]): DatasetPart {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  const [first = 0, second = 0] = createHash("sha256").update(text).digest();
  return (first * 256 + second) % heldOutOf === 0 ? "held-out" : "calibration";
}

/**
 * The documents: of as few files as have `rows` of them. Only the rows that are taken are fetched, in whole row groups.
 *
 * @throws {BadDataError} where a file is broken or a field is missing
 * @throws {InputOutputError} where the Hub cannot be reached, or an offline program does not have them in its cache
 */
export async function* readDataset(
  texts: DatasetTexts,
  fields: CorpusFields,
  faults: FaultCount,
  context: ReadingContext,
): AsyncGenerator<CorpusRow, void, undefined> {
  const { rows, part } = texts.name;
  let taken = 0;
  for (const shard of texts.shards) {
    const path = await excerptOf(texts, shard, fields, rows - taken, context);
    for await (const row of readJsonLines({ path, format: "jsonl", gzip: false }, fields, faults)) {
      taken += 1;
      if (part === undefined || partOf(row.content) === part) yield row;
      else faults.document();
      if (taken >= rows) return;
    }
  }
}
