import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError, at } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { argoWorkflow } from "../../src/export/argo-workflow.ts";
import { handPlan } from "../fixtures/hand-plan.ts";
import { readWorkflow } from "../fixtures/read-workflow.ts";

const test = suite<{ root: string }>("argo workflow");
test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-argo-"));
});
test.after.each(({ root }) => rm(root, { recursive: true, force: true }));

const cluster = { image: "registry.example/mbs:1", claim: "models" };

test("a task for each node, with image, claim, threads and memory", async ({ root }) => {
  const plan = { ...handPlan(root, "out"), threads: 3 };
  const { tasks, scripts, images, defaults, spec } = readWorkflow(
    argoWorkflow(plan, { ...cluster, mount: root, memory: 1_500_000_001 }),
  );
  assert.equal(tasks, [
    { name: "mbs-first", template: "mbs-first" },
    { name: "mbs-read-h-0", template: "mbs-read-h-0", dependencies: ["mbs-first"] },
    { name: "mbs-read-h-0-2", template: "mbs-read-h-0-2", dependencies: ["mbs-first"] },
    { name: "mbs-model", template: "mbs-model", dependencies: ["mbs-read-h-0", "mbs-read-h-0-2"] },
    { name: "mbs-last", template: "mbs-last", dependencies: ["mbs-model"] },
  ]);
  assert.equal([...images], ["registry.example/mbs:1"]);
  assert.equal(defaults, {
    image: "registry.example/mbs:1",
    command: ["sh", "-ec"],
    workingDir: root,
    resources: { requests: { cpu: "3", memory: "1501M" } },
    volumeMounts: [{ name: "shared", mountPath: root }],
  });
  assert.equal(spec["volumes"], [{ name: "shared", persistentVolumeClaim: { claimName: "models" } }]);
  // what nothing reads any more is removed by the first that waits for all readers
  assert.match(scripts.get("mbs-last") ?? "", /^rm -f out\/artifacts\/read\.h-0\.arrow out\/artifacts\/read\.h\.0\.arrow\ncat /);
  assert.match(scripts.get("mbs-first") ?? "", /^mkdir -p out\/artifacts\nprintf /);
});

test("its scripts do what the commands do, and hold nothing that Argo replaces", async ({ root }) => {
  const odd = join(root, `it's {a} "c" $HOME \\n é`);
  const output = `o'ut {a} {{b}} {{{c}}} "d" $HOME \\n é`;
  await mkdir(odd);
  const { scripts } = readWorkflow(argoWorkflow(handPlan(odd, output), { ...cluster, mount: root }));
  for (const [name, script] of scripts) {
    assert.not.ok(script.includes("{{"), script);
    const { status, stderr } = spawnSync("sh", ["-ec", script], { cwd: odd, encoding: "utf8" });
    assert.is(status, 0, `${name}: ${stderr}`);
  }
  assert.equal(await readdir(odd), [output]);
  assert.is(await readFile(join(odd, output, "last.arrow"), "utf8"), `{x} {{y}} it's "z"\n`.repeat(2));
  assert.equal(await readdir(join(odd, output, "artifacts")), ["first.arrow"]);
});

const long = (index: number): string => `encoder.${"block.".repeat(20)}${index}`;

test("names that are too long for Kubernetes stay apart", ({ root }) => {
  const plan = handPlan(root, "out");
  const nodes = [0, 1, 2].map((index) => ({
    ...at(plan.nodes, 0),
    id: long(index),
    before: index === 0 ? [] : [long(index - 1)],
  }));
  const { tasks } = readWorkflow(argoWorkflow({ ...plan, nodes }, { ...cluster, mount: root }));
  assert.is(new Set(tasks.map(({ name }) => name)).size, 3);
});

test("what the pods would not see, or Argo would change, is refused", ({ root }) => {
  const plan = handPlan(root, "out");
  for (const [changes, options, message] of [
    [
      { paths: ["/elsewhere/model"] },
      {},
      /^\/elsewhere\/model, what the recipe reads, is not in .*; move it there, or name a folder .* --mount$/,
    ],
    [{ output: "/elsewhere/out" }, {}, /^\/elsewhere\/out, the recipe's output, is not in /],
    [{}, { mount: join(root, "deeper") }, /, the working directory, is not in /],
    [{ folder: `${root}/{{a}}` }, {}, /Argo reads "\{\{" as the beginning of a parameter/],
    [{}, { claim: "My_Claim" }, /^--claim takes the name of a volume claim: .*, not My_Claim$/],
  ] as const) {
    try {
      argoWorkflow({ ...plan, ...changes }, { ...cluster, mount: root, ...options });
      assert.unreachable(String(message));
    } catch (error) {
      assert.instance(error, UsageError);
      assert.match((error as Error).message, message);
    }
  }
});

test.run();
