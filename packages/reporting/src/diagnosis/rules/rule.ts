import type { Finding, Signature } from "../finding.ts";
import type { Results } from "../results.ts";

/** A failure signature: what it reads, when it is claimed, and what is said then. */
export interface Rule<Case = unknown, Claim = unknown> {
  readonly signature: Signature;
  /** In a list of what was looked for: "methods that disagree". */
  readonly looksFor: string;
  /** What it is tested on: models, mixes, pairs of them. With none the results do not allow to look for it. */
  cases(results: Results): readonly Case[];
  /** What the results lack for it, with the command that makes it. */
  lacks(results: Results): readonly string[];
  /** What is beyond the thresholds; undefined where nothing is. */
  test(one: Case): Claim | undefined;
  say(one: Case, claim: Claim): Omit<Finding, "signature">;
}

/** The rule as it is, with the types of its cases and claims. */
export const defineRule = <Case, Claim>(rule: Rule<Case, Claim>): Rule<Case, Claim> => rule;

/** What a rule finds in a case. */
export function applyRule<Case, Claim>(rule: Rule<Case, Claim>, one: Case): Finding | undefined {
  const claim = rule.test(one);
  return claim === undefined ? undefined : { signature: rule.signature, ...rule.say(one, claim) };
}
