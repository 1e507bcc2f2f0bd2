import { createHash, timingSafeEqual } from "node:crypto";
import { UsageError, quoted } from "@mbs/contracts";

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

/** The characters of RFC 6750. */
const tokenForm = /^[A-Za-z0-9._~+/-]+=*$/;

const hashOf = (token: string): Buffer => createHash("sha256").update(token).digest();

const isScope = (text: string): text is Scope => (scopes as readonly string[]).includes(text);

/** @param at file and line, for messages, which never quote the token */
function parseLine(line: string, at: string): Token {
  const [name = "", list = "", token, ...more] = line.trim().split(/\s+/);
  if (token === undefined || more.length > 0) {
    throw new UsageError(`${at} takes a name, scopes and a token: ci run,read TOKEN`);
  }
  if (!/^[A-Za-z0-9_.@-]{1,64}$/.test(name)) {
    throw new UsageError(`${at}: a name has at most 64 of the characters A-Z a-z 0-9 _ . @ -`);
  }
  const given = list.split(",");
  const unknown = given.find((scope) => !isScope(scope));
  // not quoted: where the order of the words is wrong, this one is the token
  if (unknown !== undefined) {
    throw new UsageError(`${at}: the second word takes scopes with commas between them: ${scopes.join(",")}`);
  }
  if (token.length < tokenLength || !tokenForm.test(token)) {
    throw new UsageError(
      `${at}: the token of ${quoted(name)} must have ${tokenLength} characters or more, of A-Z a-z 0-9 . _ ~ + / -; make one by openssl rand -hex 32`,
    );
  }
  return { name, scopes: new Set(given.filter(isScope)), hash: hashOf(token) };
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
    const tokens = text.split(/\r?\n/).flatMap((line, index) => {
      const isNone = /^\s*(#|$)/.test(line);
      return isNone ? [] : [parseLine(line, `--tokens ${path}, line ${index + 1}`)];
    });
    if (tokens.length === 0) throw new UsageError(`--tokens ${path} has no token; add a line: ci run,read TOKEN`);
    const twice = tokens.find(({ name }, index) => tokens.findIndex((other) => other.name === name) !== index);
    if (twice !== undefined)
      throw new UsageError(`--tokens ${path} has two tokens of ${quoted(twice.name)}; give each its own name`);
    return new Tokens(tokens);
  }

  /** Whose token it is; undefined where it is nobody's. Takes the same time for every wrong token. */
  find(token: string): Caller | undefined {
    const hash = hashOf(token);
    let found: Caller | undefined;
    for (const known of this.#tokens) if (timingSafeEqual(known.hash, hash)) found = known;
    return found;
  }
}
