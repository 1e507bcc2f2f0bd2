import { createHash, timingSafeEqual } from "node:crypto";
import { UsageError } from "@mbs/contracts";

/** What a token allows. */
export const scopes = ["run", "read", "write", "delete"] as const;
export type Scope = (typeof scopes)[number];

/** Who calls, and what they may do. */
export interface Caller {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** The token itself is not kept. */
interface Token extends Caller {
  /** SHA-256, 32 bytes. */
  readonly hash: Buffer;
}

/** Fewest characters of a token: 128 bits as digits 0-9a-f. */
const tokenLength = 32;

/** A name, which messages quote; too short for a token that stands in its place. */
const nameForm = /^[A-Za-z0-9_.@-]{1,31}$/;

/** The characters of RFC 6750. */
const tokenForm = /^[A-Za-z0-9._~+/-]+=*$/;

const hashOf = (token: string): Buffer => createHash("sha256").update(token).digest();

const isScope = (text: string): text is Scope => (scopes as readonly string[]).includes(text);

/** @param at file and line, for messages, which quote nothing of the line: where its words are in another order, any may be the token */
function parseLine(line: string, at: string): Token {
  const [name = "", list = "", token, ...more] = line.trim().split(/\s+/);
  if (token === undefined || more.length > 0) {
    throw new UsageError(`${at} takes a name, scopes and a token: ci run,read TOKEN`);
  }
  if (!nameForm.test(name)) {
    throw new UsageError(`${at}: a name has at most 31 of the characters A-Z a-z 0-9 _ . @ -`);
  }
  const given = list.split(",");
  if (!given.every(isScope)) {
    throw new UsageError(`${at}: the second word takes scopes with commas between them: ${scopes.join(",")}`);
  }
  if (token.length < tokenLength || !tokenForm.test(token)) {
    throw new UsageError(
      `${at}: the token must have ${tokenLength} characters or more, of A-Z a-z 0-9 . _ ~ + / -; make one by openssl rand -hex 32`,
    );
  }
  return { name, scopes: new Set(given), hash: hashOf(token) };
}

/** The tokens of all lines that are right, and what is wrong with the first that is not. */
function readLines(text: string, path: string): { readonly tokens: readonly Token[]; readonly fault: unknown } {
  const tokens: Token[] = [];
  /** Line of each name and each hash. */
  const lineOf = new Map<string, number>();
  let fault: unknown;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const at = `--tokens ${path}, line ${index + 1}`;
    try {
      const token = parseLine(line, at);
      for (const [what, key] of [
        ["name", token.name],
        ["token", token.hash.toString("hex")],
      ] as const) {
        const other = lineOf.get(`${what} ${key}`);
        if (other !== undefined) throw new UsageError(`${at} has the ${what} of line ${other}; give each line its own`);
      }
      lineOf.set(`name ${token.name}`, index + 1).set(`token ${token.hash.toString("hex")}`, index + 1);
      tokens.push(token);
    } catch (error) {
      fault ??= error;
    }
  }
  if (tokens.length === 0) fault ??= new UsageError(`--tokens ${path} has no token; add a line: ci run,read TOKEN`);
  return { tokens, fault };
}

/** The tokens that a server knows. */
export class Tokens {
  readonly #tokens: readonly Token[];

  private constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /**
   * @param text a token a line: name, scopes with commas between them, token; empty lines and those after # count as none
   * @param path for messages
   * @throws {UsageError} naming the line that is wrong
   */
  static parse(text: string, path: string): Tokens {
    const { tokens, fault } = readLines(text, path);
    if (fault !== undefined) throw fault;
    return new Tokens(tokens);
  }

  /** The tokens of the lines that are right; of those with the same name or token, the first. */
  static ofRightLines(text: string): Tokens {
    return new Tokens(readLines(text, "").tokens);
  }

  /** Whose token it is; undefined where it is nobody's. Takes the same time for every wrong token. */
  find(token: string): Caller | undefined {
    const hash = hashOf(token);
    let found: Caller | undefined;
    for (const known of this.#tokens) if (timingSafeEqual(known.hash, hash)) found = known;
    return found;
  }
}
