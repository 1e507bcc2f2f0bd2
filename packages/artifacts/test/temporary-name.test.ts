import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isTemporaryOf } from "@mbs/artifacts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isGone, thisProcess } from "../src/storage/process-identity.ts";
import { removeLeftovers, temporaryName } from "../src/storage/temporary/temporary-name.ts";
import { inFolder } from "./temporary-folder.ts";

const test = suite("temporary names");

const own = thisProcess();

/** A temporary name with some of its parts exchanged. */
const changed = (path: string, from: string, to: string): string => {
  const name = temporaryName(path);
  assert.ok(basename(name).includes(from), name);
  return join(name, "..", basename(name).replace(from, to));
};

test("it is a temporary name of its path, in whatever system", () => {
  const path = join("folder", "model");
  assert.ok(isTemporaryOf(path, temporaryName(path)));
  assert.ok(isTemporaryOf(path, temporaryName(path, "old")));
  assert.ok(isTemporaryOf(path, join("folder", ".model.some.host.12.00aa11bb.tmp")));
  assert.not(isTemporaryOf(join("folder", "mode"), temporaryName(path)));
});

test("a living process is not gone, a dead one is", () => {
  assert.not(isGone(own));
  const { pid } = spawnSync(process.execPath, ["--version"]);
  assert.ok(isGone({ id: pid }));
});

test("leftovers go where their maker is surely gone, and only there", () =>
  inFolder(async (folder) => {
    const path = join(folder, "model");
    const { pid: dead } = spawnSync(process.execPath, ["--version"]);
    const alive = temporaryName(path);
    const [kept, removed] = [[alive], [changed(path, `.${own.id}.`, `.${dead}.`)]];
    const { details } = own;
    if (details) {
      // its id is another process's by now
      removed.push(changed(path, `.${details.started}-`, `.${details.started}0-`));
      // the machine was restarted
      removed.push(changed(path, `-${details.boot}-`, "-00000000-"));
      // a container of this host, in which the id of a dead process here may be a living one's
      kept.push(
        changed(path, `.${own.id}.${details.started}-${details.boot}-${details.namespace}-`, `.${dead}.1-${details.boot}-1-`),
      );
    }
    for (const name of [...kept, ...removed]) {
      await mkdir(name);
      await writeFile(join(name, "half"), "");
    }
    await removeLeftovers(path);
    assert.equal((await readdir(folder)).toSorted(), kept.map((name) => basename(name)).toSorted());
  }));

test("a dead process that its parent has not asked for yet is gone", async () => {
  if (own.details === undefined) return;
  // A shell that becomes a program which never waits for its children.
  const parent = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const id = Number(line.toString());
  while ((await readFile(`/proc/${parent.pid}/comm`, "latin1")) !== "sleep\n") await delay(20);
  process.kill(id);
  const stat = async (): Promise<string[]> => {
    const text = await readFile(`/proc/${id}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  };
  while ((await stat())[0] !== "Z") await delay(20);
  const started = BigInt((await stat())[19] ?? "").toString(16);
  assert.ok(isGone({ id, details: { ...own.details, started } }));
  parent.kill("SIGKILL");
});

test.run();
