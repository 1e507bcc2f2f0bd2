import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const packages = join(dirname(fileURLToPath(import.meta.url)), "../../packages");

/** Hash of the sources of all packages: results of one state of the code are not those of another. */
export async function codeAddress(): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(packages)).toSorted()) {
    const source = join(packages, name, "src");
    const files = (await readdir(source, { recursive: true })).filter((path) => path.endsWith(".ts"));
    for (const path of files.toSorted()) hash.update(`${name}/${path}\n`).update(await readFile(join(source, path)));
  }
  return hash.digest("hex");
}
