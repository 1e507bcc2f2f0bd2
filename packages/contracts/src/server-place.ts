/** A server, and the files that a client needs to call it: values of `--via`, `--ca`, `--cert`, `--key` and `--token-file`. */
export interface ServerPlace {
  /** "grpc://127.0.0.1:8815", or "grpcs://host:8815" with TLS */
  readonly via: string;
  /** PEM file with the authority that signed the server's certificate. Default: those that Node knows. */
  readonly ca?: string | undefined;
  /** PEM files with the client's own certificate and key, for a server that asks for them. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** File whose first line is the token. */
  readonly tokenFile?: string | undefined;
}
