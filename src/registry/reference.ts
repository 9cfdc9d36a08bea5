import { type Digest, parseDigest } from "./digest.ts";
import { RegistryError } from "./registry_error.ts";

/** The name of an image in a registry. At least one of `tag` and `digest` is there; the digest rules. */
export interface ImageReference {
  /**
   * `host[:port]` in the one spelling that credentials, mirrors and rules are looked up by, which is the URL parser's;
   * `docker.io` for Docker Hub.
   */
  readonly registry: string;
  /** Path of the repository, without the registry. */
  readonly repository: string;
  /** A name that may be moved to another image at any time; only shown when there is a digest. */
  readonly tag?: string;
  /** Digest of the manifest or index. */
  readonly digest?: Digest;
  /** Written in front: the registry speaks TLS, even where its place would let us do without. */
  readonly scheme?: "https";
}

// The grammar is that of distribution/reference:
//
//   reference       := name [ ":" tag ] [ "@" digest ]
//   name            := [ domain "/" ] path-component *( "/" path-component )
//   domain          := host [ ":" port ]
//   host            := domain-component *( "." domain-component ) | "[" IPv6 "]"
//   domain-component:= alnum [ *( alnum | "-" ) alnum ]
//   path-component  := lower-alnum *( separator lower-alnum )
//   separator       := "." | "_" | "__" | 1*"-"
//   tag             := word-char *127( word-char | "." | "-" )
//
// Four forms:  A name   B name:tag   C name@digest   D name:tag@digest
const DOMAIN_COMPONENT = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const DOMAIN = new RegExp(
  `^(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[[0-9a-fA-F:.]+\\])(?::[0-9]{1,5})?$`,
);
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** distribution/reference NameTotalLengthMax. */
const NAME_LIMIT = 255;
/** The name, a tag of 128, a digest of 7 + 128 characters, two separators and a scheme, rounded up. */
const REFERENCE_LIMIT = 640;

const HUB_NAMES = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/**
 * Reads an image reference; `oci://`, `docker://` and `https://` in front are accepted, Docker Hub's defaults apply.
 *
 * Throws {@linkcode RegistryError} `bad-reference` whose message names the offending part.
 *
 * @example
 * parseReference("harbor.example/iot/fw:1.2"); // { registry: "harbor.example", repository: "iot/fw", tag: "1.2" }
 */
export function parseReference(text: string): ImageReference {
  const refuse = (found: string): never => {
    throw new RegistryError("bad-reference", `Cannot use image reference '${shown(text)}': ${found}`);
  };
  if (text.length > REFERENCE_LIMIT) {
    refuse(`it is ${text.length} characters long, at most ${REFERENCE_LIMIT}`);
  }
  if (/^http:\/\//i.test(text)) {
    refuse("'http://' is not part of a reference, allow it with --plain-http HOST[:PORT]");
  }
  const bare = text.replace(/^(?:oci|docker|https):\/\//i, "");
  if (bare === "") refuse("it is empty, wanted NAME[:TAG][@DIGEST]");

  const at = bare.indexOf("@");
  if (at >= 0 && /^(?!sha\d).*[@/]/s.test(bare.slice(at + 1))) {
    refuse("it holds a user name or password, give them in a docker config file or with --username");
  }
  const digest = at < 0 ? undefined : readDigest(bare.slice(at + 1), refuse);
  const named = at < 0 ? bare : bare.slice(0, at);

  const [domain, rest] = splitDomain(named);
  const colon = rest.indexOf(":");
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  const path = colon < 0 ? rest : rest.slice(0, colon);

  if (tag !== undefined && !TAG.test(tag)) {
    refuse(
      `the tag '${
        tag.slice(0, 140)
      }' must be 1 to 128 letters, digits, '_', '.', '-', not starting with '.' or '-'`,
    );
  }
  const isTls = /^https:/i.test(text);
  if (domain === undefined && isTls && named.includes("/")) refuseWord(named, refuse);
  const registry = domain === undefined ? "docker.io" : registryOf(domain, refuse);
  checkPath(path, refuse);
  const repository = registry === "docker.io" && !path.includes("/") ? `library/${path}` : path;
  if (registry.length + 1 + repository.length > NAME_LIMIT) {
    refuse(`the name is longer than ${NAME_LIMIT} characters`);
  }
  return {
    registry,
    repository,
    ...(tag !== undefined ? { tag } : digest === undefined ? { tag: "latest" } : {}),
    ...(digest !== undefined ? { digest } : {}),
    ...(isTls ? { scheme: "https" } : {}),
  };
}

/** The full text of a reference, as {@linkcode parseReference} reads it, without a scheme. */
export function formatReference(reference: ImageReference): string {
  const { registry, repository, tag, digest } = reference;
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${
    digest === undefined ? "" : `@${digest}`
  }`;
}

/** What names the document in a URL: the digest when there is one, else the tag. */
export function documentName(reference: ImageReference): string {
  return reference.digest ?? reference.tag ?? "latest";
}

/** What stands before an "@" that no digest follows may be a password. */
function shown(text: string): string {
  return text.replace(/^.*@(?!sha\d+:[^@]*$)/s, "***@").slice(0, 320);
}

type Refuse = (found: string) => never;

function readDigest(text: string, refuse: Refuse): Digest {
  try {
    return parseDigest(text);
  } catch (error) {
    return refuse(
      error instanceof SyntaxError ? error.message.replace(/^Cannot use /, "in the digest ") : "bad digest",
    );
  }
}

/** The first component is a registry only if it cannot be a path component, or is `localhost` (docker's rule). */
function splitDomain(named: string): [string | undefined, string] {
  const slash = named.indexOf("/");
  if (slash < 0) return [undefined, named];
  const first = named.slice(0, slash);
  const isDomain = /[.:A-Z[]/.test(first) || first === "localhost";
  return isDomain ? [first, named.slice(slash + 1)] : [undefined, named];
}

/**
 * The registry as the URL parser spells it: what is looked up by this name is then what is connected to. Port 443 stays
 * where it is written, as it is not everywhere the one that is meant without it.
 */
function registryOf(domain: string, refuse: Refuse): string {
  if (!DOMAIN.test(domain)) refuse(`'${domain}' is not a registry HOST[:PORT]`);
  const [, host = "", digits] = /^(\[.*\]|[^:]*)(?::([0-9]+))?$/.exec(domain) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65535)) refuse(`the port '${digits}' must be 1 to 65535`);
  if (!URL.canParse(`https://${host}/`)) {
    refuse(`'${host}' is not ${host.startsWith("[") ? "an IPv6 address" : "a host name or IPv4 address"}`);
  }
  const { hostname } = new URL(`https://${host}/`);
  // "012.1.1.1" is 10.1.1.1 to the URL parser: who wrote it may have meant another
  if (/^[\d.]+$/.test(hostname) && hostname !== host) {
    refuse(`'${host}' is the address ${hostname}: write that, if it is meant`);
  }
  if (HUB_NAMES.has(hostname) && (port === undefined || port === 443)) return "docker.io";
  if (port !== undefined) return `${hostname}:${port}`;
  return isWord(hostname) ? refuseWord(domain, refuse) : hostname;
}

/** Nothing tells such a name from the first component of a path. */
function isWord(host: string): boolean {
  return !/[.:[]/.test(host) && host !== "localhost";
}

function refuseWord(named: string, refuse: Refuse): never {
  const [word = ""] = named.split("/", 1);
  return refuse(
    `the registry '${word}' is a single word and needs its port, as in '${word.toLowerCase()}:443'; ` +
      "if an image of Docker Hub is meant, write it in lower case and without 'https://'",
  );
}

function checkPath(path: string, refuse: Refuse): void {
  if (path === "") refuse("the repository is missing");
  for (const component of path.split("/")) {
    if (PATH_COMPONENT.test(component)) continue;
    if (component === "") refuse("the repository has an empty path component ('//' or a '/' at the end)");
    const wanted = /[A-Z]/.test(component)
      ? "it must be lower case"
      : "it must be letters and digits joined by '.', '_', '__' or '-'";
    refuse(`in the repository '${component.slice(0, 140)}': ${wanted}`);
  }
  if (/^[0-9a-f]{64}$/.test(path)) {
    refuse("64 hex digits are a digest without 'NAME@sha256:', not a repository");
  }
}
