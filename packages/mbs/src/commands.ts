import type { CommandEntry } from "./commands/plain-command.ts";
import { stages } from "./stages.ts";

const others: ReadonlyMap<string, CommandEntry> = new Map<string, CommandEntry>([
  [
    "shrink",
    {
      group: "Everyday",
      summary: "Make a model smaller, and protect some of its languages: one command, with a plan first.",
      load: async () => (await import("./commands/shrink-command.ts")).shrinkCommand,
    },
  ],
  [
    "run",
    {
      group: "Everyday",
      summary: "Run a whole recipe: sample, capture, factor, compress, assemble, evaluate; resumes.",
      load: async () => (await import("./commands/run-command.ts")).runCommand,
    },
  ],
  [
    "status",
    {
      group: "Everyday",
      summary: "Show how far a run is, and the time left.",
      load: async () => (await import("./commands/status-command.ts")).statusCommand,
    },
  ],
  [
    "estimate",
    {
      group: "Everyday",
      summary: "Estimate what a recipe needs before it runs: tokens, time, memory, disk.",
      load: async () => (await import("./commands/estimate-command.ts")).estimateCommand,
    },
  ],
  [
    "demo",
    {
      group: "Everyday",
      summary: "Compress the controlled model and show what each mix does to each language.",
      load: async () => (await import("./demo/demo-command.ts")).demoCommand,
    },
  ],
  [
    "generate",
    {
      group: "Everyday",
      summary: "Let a model complete a text, as a quick check.",
      load: async () => (await import("./commands/generate-command.ts")).generateCommand,
    },
  ],
  [
    "doctor",
    {
      group: "Everyday",
      summary: "Check this machine: Node, ONNX Runtime, threads, memory, disk.",
      load: async () => (await import("./commands/doctor-command.ts")).doctorCommand,
    },
  ],
  [
    "inspect",
    {
      group: "Results",
      summary: "Show what a model, an artifact or a GGUF file holds, and what can be made of a model.",
      load: async () => (await import("./commands/inspect-command.ts")).inspectCommand,
    },
  ],
  [
    "report",
    {
      group: "Results",
      summary: "Write results as one HTML page: plain words, plots and the numbers behind them.",
      load: async () => (await import("./commands/report-command.ts")).reportCommand,
    },
  ],
  [
    "diagnose",
    {
      group: "Results",
      summary: "Find out from results what went wrong, and what to do about it.",
      load: async () => (await import("./commands/diagnose-command.ts")).diagnoseCommand,
    },
  ],
  [
    "gate",
    {
      group: "Results",
      summary: "Check scores against limits, and end with 1 where a language loses more.",
      load: async () => (await import("./commands/gate-command.ts")).gateCommand,
    },
  ],
  [
    "tasks",
    {
      group: "Results",
      summary: "List the tasks that mbs evaluate can answer, in a folder of lm-evaluation-harness' format.",
      load: async () => (await import("./commands/tasks-command.ts")).tasksCommand,
    },
  ],
  [
    "agreement",
    {
      group: "Results",
      summary: "Show by language how well sentence embeddings agree with those of the model before compression.",
      load: async () => (await import("./commands/agreement-command.ts")).agreementCommand,
    },
  ],
  [
    "vocabulary",
    {
      group: "Models",
      summary: "Show which tokens each language uses, and what a vocabulary trimmed to some languages loses.",
      load: async () => (await import("./commands/vocabulary-command.ts")).vocabularyCommand,
    },
  ],
  [
    "distribution",
    {
      group: "Models",
      summary: "Estimate a model's language shares from its tokenizer's merges and its losses.",
      load: async () => (await import("./commands/distribution-command.ts")).distributionCommand,
    },
  ],
  [
    "card",
    {
      group: "Models",
      summary: "Write the model card of an assembled folder, with scores and recipe.",
      load: async () => (await import("./commands/card-command.ts")).cardCommand,
    },
  ],
  [
    "push",
    {
      group: "Models",
      summary: "Put a model folder onto the Hugging Face Hub, with its card.",
      load: async () => (await import("./commands/push-command.ts")).pushCommand,
    },
  ],
  [
    "work",
    {
      group: "Many machines",
      summary: "Run nodes of other machines' runs, which they put into a queue.",
      load: async () => (await import("./commands/work-command.ts")).workCommand,
    },
  ],
  [
    "store",
    {
      group: "Many machines",
      summary: "List, verify and prune a store of artifacts that several machines share.",
      load: async () => (await import("./store/store-command.ts")).storeCommand,
    },
  ],
  [
    "serve",
    {
      group: "Many machines",
      summary: "Offer the stages and a store of artifacts over Arrow Flight (gRPC).",
      load: async () => (await import("./commands/serve-command.ts")).serveCommand,
    },
  ],
]);

/** All commands by name, in the order of `mbs --help --all`: those for every day first, the stages last. */
export const commands: ReadonlyMap<string, CommandEntry> = new Map<string, CommandEntry>([
  ...others,
  ...[...stages].map(([name, { summary, load }]): [string, CommandEntry] => [
    name,
    {
      group: "Stages of a run",
      summary,
      load: async () => {
        const [stage, { stageCommand }, { host }] = await Promise.all([load(), import("@mbs/host-cli"), import("./host.ts")]);
        return ({ argv, signal }) => stageCommand(stage, host, argv, signal);
      },
    },
  ]),
]);
