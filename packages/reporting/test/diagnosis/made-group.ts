import type { GroupRises, MixGroup } from "../../src/diagnosis/mix-groups.ts";

/** A method and mix with the rises that a test is about. */
export const makeGroup = ({
  rises = {},
  ...group
}: Partial<Omit<MixGroup, "rises">> & { readonly rises?: Partial<GroupRises> }): MixGroup => ({
  method: "gptq",
  methodKey: "gptq",
  solvers: ["gptq"],
  mix: {},
  mixName: "equal mix",
  models: ["gptq-model"],
  ...group,
  rises: { unweighted: [], weighted: [], worst: [], languages: new Map(), ...rises },
});
