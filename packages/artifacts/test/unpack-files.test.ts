import { spawnSync } from "node:child_process";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { contentAddress, encodeFiles, unpackFiles } from "@mbs/artifacts";
import { BadDataError, DeniedError } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorOf, samples } from "./samples.ts";
import { inFolder } from "./temporary-folder.ts";

const test = suite("unpack files");

const text = (path: string, content: string) => ({ path, offset: 0, data: Buffer.from(content) });

test("files lie in their folders, joined from their pieces", () =>
  inFolder(async (folder) => {
    const target = join(folder, "model");
    const receipt = await unpackFiles(samples.files.encode(), target);
    assert.is(receipt.address, (await contentAddress(samples.files.encode())).address);
    assert.is((await readFile(join(target, "config.json"))).toString("hex"), "000102030405060708090001020304");
    assert.equal((await readdir(target)).toSorted(), ["config.json", "empty"]);
    assert.equal(await readdir(folder), ["model"]);
  }));

test("a path that leaves the folder is refused and nothing is left", () =>
  inFolder(async (folder) => {
    for (const path of ["../a", "/a", "a/../../b", "a//b", ".", "", "a\\b", "a\0b"]) {
      const error = await errorOf(() => unpackFiles(encodeFiles([text(path, "x")], { model: "" }), join(folder, "model")));
      assert.instance(error, BadDataError, path);
      assert.equal(await readdir(folder), []);
    }
  }));

test("an occupied folder is denied and kept, and replaced with force", () =>
  inFolder(async (folder) => {
    const target = join(folder, "model");
    await mkdir(target);
    await writeFile(join(target, "mine"), "mine");
    assert.instance(await errorOf(() => unpackFiles(samples.files.encode(), target)), DeniedError);
    assert.equal(await readdir(target), ["mine"]);
    await unpackFiles(encodeFiles([text("mine", "x"), text("new/a", "x")], { model: "" }), target, { force: true });
    assert.equal((await readdir(target)).toSorted(), ["mine", "new"]);
    assert.is(await readFile(join(target, "mine"), "utf8"), "x");
    assert.equal(await readdir(folder), ["model"]);
  }));

test("force takes nothing away that the artifact does not replace", () =>
  inFolder(async (folder) => {
    const target = join(folder, "home");
    await mkdir(target);
    await writeFile(join(target, "thesis"), "years");
    const error = await errorOf(() => unpackFiles(samples.files.encode(), target, { force: true }));
    assert.instance(error, DeniedError);
    assert.match(String(error), /also holds thesis/);
    assert.equal(await readdir(target), ["thesis"]);
    assert.equal(await readdir(folder), ["home"]);
  }));

test("force takes nothing away in a folder of the folder either", () =>
  inFolder(async (folder) => {
    const target = join(folder, "model");
    const write = () => unpackFiles(encodeFiles([text("onnx/model", "x")], { model: "" }), target, { force: true });
    await write();
    await writeFile(join(target, "onnx", "thesis"), "years");
    const error = await errorOf(write);
    assert.instance(error, DeniedError);
    assert.match(String(error), /also holds onnx.thesis/);
    assert.is(await readFile(join(target, "onnx", "thesis"), "utf8"), "years");
    assert.equal(await readdir(folder), ["model"]);
  }));

test("what killed processes left behind goes, what living ones write stays", () =>
  inFolder(async (folder) => {
    const { pid: dead } = spawnSync(process.execPath, ["--version"]);
    const living = `.model.${hostname()}.${process.ppid}.00aa.tmp`;
    for (const name of [`.model.${hostname()}.${dead}.00aa.tmp`, `.model.${hostname()}.${dead}.00aa.old`, living]) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, "config.json"), "half");
    }
    await unpackFiles(samples.files.encode(), join(folder, "model"));
    assert.equal((await readdir(folder)).toSorted(), [living, "model"]);
  }));

test.run();
