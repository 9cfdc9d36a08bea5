import * as v from "valibot";
import type { AcceptedSigner } from "./certificate_signer.ts";
import { isUnder, prefixFault, repositoryName } from "./repository_name.ts";
import type { SignatureMode } from "./signature_policy.ts";

/** What flags, or the policy file for some repositories, say; what is absent is left to the other. */
export interface SignatureRule {
  /** `auto` when nobody says anything. */
  readonly mode?: SignatureMode;
  /** Paths of PEM files. */
  readonly keys?: readonly string[];
  /** Holders of certificates. */
  readonly identities?: readonly AcceptedSigner[];
  /** Path of a trusted root file. */
  readonly trustedRoot?: string;
  /** Annotations that must be signed, with their values. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Other repositories, or prefixes of them, the image may have been signed for. */
  readonly signedAs?: readonly string[];
}

/** The values of the signature flags, as they were given. */
export interface SignatureFlags {
  /** `--verify-signature` */
  readonly mode?: string;
  /** `--signature-policy`: path of a policy file. */
  readonly policyFile?: string;
  /** `--cosign-key`, repeatable */
  readonly keys?: readonly string[];
  /** `--certificate-identity` */
  readonly identity?: string;
  /** `--certificate-identity-regexp` */
  readonly identityRegexp?: string;
  /** `--certificate-oidc-issuer` */
  readonly issuer?: string;
  /** `--certificate-oidc-issuer-regexp` */
  readonly issuerRegexp?: string;
  /** `--trusted-root` */
  readonly trustedRoot?: string;
  /** `--signature-annotation K=V`, repeatable */
  readonly annotations?: readonly string[];
  /** `--signed-as REPOSITORY`, repeatable */
  readonly signedAs?: readonly string[];
}

/** Keys and identities are tried one after the other on each signature. */
const MAX_SIGNERS = 32;

/** Long enough for a list of workflows. */
const MAX_EXPRESSION = 512;

const mode = v.picklist(["off", "auto", "require"], "wanted off, auto or require");

const Signer = v.strictObject({
  identity: v.optional(v.string()),
  identityRegexp: v.optional(v.string()),
  issuer: v.optional(v.string()),
  issuerRegexp: v.optional(v.string()),
});

const Rule = v.strictObject({
  mode: v.optional(mode),
  keys: v.optional(v.pipe(v.array(v.string()), v.maxLength(MAX_SIGNERS))),
  identities: v.optional(v.pipe(v.array(Signer), v.maxLength(MAX_SIGNERS))),
  trustedRoot: v.optional(v.string()),
  annotations: v.optional(v.record(v.string(), v.string())),
  signedAs: v.optional(v.array(v.string())),
});

const PolicyFile = v.strictObject({
  default: v.optional(Rule),
  repositories: v.optional(v.record(v.string(), Rule)),
});

/** Takes the rule from the flags; what is wrong with them is added to `faults`. */
export function ruleFromFlags(flags: SignatureFlags, faults: string[]): SignatureRule {
  const given = v.safeParse(v.optional(mode), flags.mode);
  if (!given.success) faults.push(`--verify-signature is '${flags.mode}', ${given.issues[0].message}`);
  if ((flags.keys?.length ?? 0) > MAX_SIGNERS) faults.push(`more than ${MAX_SIGNERS} --cosign-key`);
  const { identity, identityRegexp, issuer, issuerRegexp } = flags;
  const signer = { identity, identityRegexp, issuer, issuerRegexp };
  const annotations = flags.annotations?.map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) faults.push(`--signature-annotation is '${pair}', wanted NAME=VALUE`);
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
  checkPrefixes(flags.signedAs ?? [], "--signed-as", faults);
  return {
    ...(given.success && given.output ? { mode: given.output } : {}),
    ...(flags.keys?.length ? { keys: flags.keys } : {}),
    ...(Object.values(signer).some((value) => value !== undefined)
      ? { identities: readSigner(signer, "the --certificate flags", faults) }
      : {}),
    ...(flags.trustedRoot === undefined ? {} : { trustedRoot: flags.trustedRoot }),
    ...(annotations?.length ? { annotations: Object.fromEntries(annotations) } : {}),
    ...(flags.signedAs?.length ? { signedAs: flags.signedAs } : {}),
  };
}

/**
 * Takes the rule for `repository` from a policy file's text: the one with the longest prefix of whole path segments,
 * else the default. All of the file is checked; what is wrong is added to `faults`.
 */
export function ruleFromFile(text: string, repository: string, faults: string[]): SignatureRule {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    faults.push("the policy file is not JSON");
    return {};
  }
  const parsed = v.safeParse(PolicyFile, json);
  if (!parsed.success) {
    faults.push(
      ...parsed.issues.map((issue) =>
        `the policy file's ${v.getDotPath(issue) ?? "content"}: ${issue.message}`
      ),
    );
    return {};
  }
  const { repositories = {} } = parsed.output;
  checkPrefixes(Object.keys(repositories), "the policy file's rule of", faults);
  const rules = new Map<string, SignatureRule>(
    Object.entries(repositories).map((
      [prefix, rule],
    ) => [prefix, readRule(rule, `the rule of '${prefix}'`, faults)]),
  );
  const fallback = readRule(parsed.output.default ?? {}, "the default rule", faults);
  const name = repositoryName(repository);
  const [best] = [...rules.keys()].filter((prefix) => isUnder(name, prefix)).sort((a, b) =>
    segments(b) - segments(a)
  );
  return (best === undefined ? undefined : rules.get(best)) ?? fallback;
}

/** Flags over the file, thing by thing; who may sign (keys, identities and the root of their trust) is one thing. */
export function combineRules(flags: SignatureRule, file: SignatureRule): SignatureRule {
  const { keys: _keys, identities: _identities, trustedRoot: _trustedRoot, ...rest } = file;
  return { ...(flags.keys || flags.identities ? rest : file), ...flags };
}

function readRule(rule: v.InferOutput<typeof Rule>, where: string, faults: string[]): SignatureRule {
  checkPrefixes(rule.signedAs ?? [], `${where}: signedAs`, faults);
  return {
    ...(rule.mode ? { mode: rule.mode } : {}),
    ...(rule.keys ? { keys: rule.keys } : {}),
    ...(rule.identities
      ? { identities: rule.identities.flatMap((signer) => readSigner(signer, where, faults)) }
      : {}),
    ...(rule.trustedRoot === undefined ? {} : { trustedRoot: rule.trustedRoot }),
    ...(rule.annotations ? { annotations: rule.annotations } : {}),
    ...(rule.signedAs ? { signedAs: rule.signedAs } : {}),
  };
}

function checkPrefixes(prefixes: readonly string[], what: string, faults: string[]): void {
  for (const prefix of prefixes) {
    const fault = prefixFault(prefix);
    if (fault) faults.push(`${what} '${prefix}' is no prefix of a repository: ${fault}`);
  }
}

function readSigner(
  given: { readonly [Field in keyof v.InferOutput<typeof Signer>]: string | undefined },
  where: string,
  faults: string[],
): AcceptedSigner[] {
  const one = (
    name: string,
    exact: string | undefined,
    source: string | undefined,
  ): string | RegExp | undefined => {
    if (exact !== undefined && source !== undefined) {
      faults.push(`${where}: both an exact ${name} and an expression`);
    } else if (exact) return exact;
    else if (source) return expression(source, `${where}: the ${name} expression`, faults);
    else faults.push(`${where}: no ${name}, anybody could have signed; identity and issuer go together`);
    return undefined;
  };
  const identity = one("identity", given.identity, given.identityRegexp);
  const issuer = one("issuer", given.issuer, given.issuerRegexp);
  return identity && issuer ? [{ identity, issuer }] : [];
}

/** Always over the whole text, unlike cosign's, where `github.com/acme` also accepts `evil.example/github.com/acme`. */
function expression(source: string, what: string, faults: string[]): RegExp | undefined {
  if (source.length > MAX_EXPRESSION) {
    faults.push(`${what} has ${source.length} characters, at most ${MAX_EXPRESSION}`);
    return undefined;
  }
  try {
    new RegExp(source, "u"); // by itself first, so that "a)|(b" cannot open the anchors
    return new RegExp(`^(?:${source})$`, "u");
  } catch (cause) {
    faults.push(`${what} is not one: ${cause instanceof Error ? cause.message : cause}`);
    return undefined;
  }
}

function segments(prefix: string): number {
  return prefix === "*" ? 0 : prefix.split("/").length;
}
