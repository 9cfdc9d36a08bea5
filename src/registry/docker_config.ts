import * as v from "valibot";
import { type Credential, parseBasicPair, passwordCredential, TOKEN_USER } from "./credential.ts";

/** A docker, podman or Kubernetes credentials file, read. */
export interface DockerConfig {
  /** Entries in the order of the file. */
  readonly entries: readonly AuthEntry[];
  /** Credential helper by registry (`credHelpers`). */
  readonly helpers: ReadonlyMap<string, string>;
  /** Credential helper for every other registry (`credsStore`). */
  readonly store: string | undefined;
}

/** One entry of `auths`. */
export interface AuthEntry {
  /** The key as it stands in the file. */
  readonly key: string;
  /** `undefined` for docker's empty marker `{}`. */
  readonly credential: Credential | undefined;
}

const EntrySchema = v.object({
  auth: v.nullish(v.string()),
  username: v.nullish(v.string()),
  password: v.nullish(v.string()),
  identitytoken: v.nullish(v.string()),
  registrytoken: v.nullish(v.string()),
});

const FileSchema = v.object({
  auths: v.nullish(v.record(v.string(), v.nullish(EntrySchema))),
  credHelpers: v.nullish(v.record(v.string(), v.string())),
  credsStore: v.nullish(v.string()),
});

const LegacySchema = v.record(v.string(), EntrySchema);

/**
 * Reads `config.json`, `auth.json`, `.dockerconfigjson` or the legacy `.dockercfg`, which is the `auths` object alone.
 *
 * Throws `SyntaxError` with a message that shows nothing of the content.
 */
export function parseDockerConfig(text: string): DockerConfig {
  const json = parseQuietly(text);
  const isWrapped = ["auths", "credHelpers", "credsStore"].some((key) => Object.hasOwn(json, key));
  const file = v.safeParse(FileSchema, json);
  const legacy = isWrapped ? undefined : v.safeParse(LegacySchema, json);
  if (!file.success) {
    throw new SyntaxError(`'${v.getDotPath(file.issues[0]) ?? "the file"}' has the wrong type`);
  }
  const auths = legacy?.success ? legacy.output : file.output.auths ?? {};
  return {
    entries: Object.entries(auths).map(([key, entry]) => ({
      key,
      credential: entry ? credentialOf(entry) : undefined,
    })),
    helpers: new Map(Object.entries(file.output.credHelpers ?? {})),
    store: file.output.credsStore || undefined,
  };
}

/** V8 quotes the text it cannot parse, which holds passwords here. */
function parseQuietly(text: string): object {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new SyntaxError("it is not JSON");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new SyntaxError("it is not a JSON object");
  }
  return json;
}

function credentialOf(entry: v.InferOutput<typeof EntrySchema>): Credential | undefined {
  if (entry.registrytoken) return { kind: "registry-token", token: entry.registrytoken };
  const pair = (entry.auth ? parseBasicPair(entry.auth) : undefined) ??
    (entry.username && entry.password
      ? { kind: "password" as const, username: entry.username, password: entry.password }
      : undefined);
  if (entry.identitytoken) {
    const token = entry.identitytoken;
    const usable = pair !== undefined && pair.password !== "";
    return {
      kind: "identity",
      token,
      fallback: usable ? pair : { kind: "password", username: pair?.username ?? TOKEN_USER, password: token },
    };
  }
  return pair === undefined ? undefined : passwordCredential(pair.username, pair.password);
}
