import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** What V8 writes at the end of a process: of each function how often it ran, the first being the module itself. */
interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly { readonly count: number }[] }[];
  }[];
}

/** Files of packages/NAME/dist of which a function ran, not the module alone, in the processes that wrote into a folder. */
export function executedFiles(root: string, folder: string): Set<string> {
  const files = readdirSync(folder).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(folder, name), "utf8")) as Coverage;
    return result
      .filter(
        ({ url, functions }) => url.startsWith("file:") && functions.slice(1).some(({ ranges }) => (ranges[0]?.count ?? 0) > 0),
      )
      .map(({ url }) => relative(root, fileURLToPath(url)));
  });
  return new Set(files.filter((file) => /^packages\/[^/]+\/dist\//.test(file)));
}

const model = "datasets/controlled-llama";
const corpus = "datasets/controlled-texts/calibration.yaml";

/** Name → how layers are made, and the format that they are written in. */
const ways: ReadonlyMap<string, { readonly compress: readonly string[]; readonly format: string; readonly factors: boolean }> =
  new Map([
    ["gptq to a gptq folder", { compress: ["--solver", "gptq"], format: "gptq", factors: true }],
    ["gptq to gguf", { compress: ["--solver", "gptq", "--type-mix", "Q4_K_M"], format: "gguf", factors: true }],
    ["rtn to a gptq folder", { compress: ["--solver", "rtn", "--without-factors"], format: "gptq", factors: false }],
  ]);

/** Counts of files, by package. */
export type Counts = Readonly<Record<string, number>>;

export function countByPackage(files: Iterable<string>): Counts {
  const counts: Record<string, number> = {};
  for (const file of files) {
    const name = file.split("/")[1] ?? "";
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).toSorted(([, one], [, other]) => other - one));
}

/** Of each way: files that run in `compress` and `assemble`, less those of `compress --help`; and with `factor` before them. */
export function measureExecuted(root: string): Record<string, { readonly files: Counts; readonly withFactor?: Counts }> {
  const work = mkdtempSync(join(tmpdir(), "mbs-structure-"));
  const at = (name: string): string => join(work, name);
  /** Runs a command of the built program. @param coverage name of the folder for its coverage; none where absent */
  const mbs = (args: readonly string[], coverage?: string): void => {
    const env = coverage === undefined ? process.env : { ...process.env, NODE_V8_COVERAGE: at(coverage) };
    execFileSync(process.execPath, ["packages/mbs/bin/mbs.js", ...args], {
      cwd: root,
      env,
      stdio: ["ignore", "ignore", "inherit"],
    });
  };
  const quiet = "--quiet";
  try {
    mbs(["compress", "--help"], "help");
    const texts = ["--corpus", corpus, "--mix", "proportional", "--segments", "32", "--length", "64"];
    mbs(["sample", "--model", model, ...texts, "--output", at("segments"), quiet]);
    mbs(["capture", "--model", model, "--source", at("segments"), "--output", at("statistics"), quiet]);
    mbs(["factor", "--statistics", at("statistics"), "--output", at("factors"), quiet], "factor");
    const [help, factor] = [executedFiles(root, at("help")), executedFiles(root, at("factor"))];
    const beyondHelp = (files: readonly string[]): Counts => countByPackage(files.filter((file) => !help.has(file)));
    const measured = [...ways].map(([name, { compress, format, factors }], index) => {
      const [coverage, layers] = [`coverage-${index}`, at(`layers-${index}`)];
      const read = factors ? ["--factors", at("factors")] : [];
      mbs(["compress", "--model", model, ...compress, ...read, "--output", layers, quiet], coverage);
      mbs(
        ["assemble", "--model", model, "--format", format, "--layers", layers, "--output", at(`model-${index}`), quiet],
        coverage,
      );
      const files = [...executedFiles(root, at(coverage))];
      const all = factors && { withFactor: beyondHelp([...new Set([...files, ...factor])]) };
      return [name, { files: beyondHelp(files), ...all }] as const;
    });
    return Object.fromEntries(measured);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
