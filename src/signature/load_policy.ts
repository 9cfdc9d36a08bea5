import { untilAborted } from "../until_aborted.ts";
import type { Files } from "../world.ts";
import { type KeylessTrust, readTrustedRoot } from "./keyless_trust.ts";
import { SignatureError } from "./signature_error.ts";
import { demandTrust, type SignaturePolicy } from "./signature_policy.ts";
import {
  combineRules,
  ruleFromFile,
  ruleFromFlags,
  type SignatureFlags,
  type SignatureRule,
} from "./signature_rule.ts";
import { parseTrustedKey, type TrustedKey } from "./trusted_key.ts";

/** An RSA-4096 key takes 800 bytes. */
const MAX_KEY_BYTES = 64 * 1024;

/** The public Sigstore's trusted root takes 8 KiB; a policy for a thousand repositories some 300. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * The policy for `repository` (`registry/path`) out of the flags and the policy file they may name, with the keys
 * and the trusted root read from their files. File names in a policy file are relative to its directory.
 *
 * Rejects with {@linkcode SignatureError} `bad-policy`, all faults in one message, or `no-trust`; with the signal's
 * reason when aborted.
 */
export async function loadSignaturePolicy(
  flags: SignatureFlags,
  repository: string,
  options: { readonly files: Pick<Files, "facts" | "readText">; readonly signal: AbortSignal },
): Promise<SignaturePolicy> {
  const { files, signal } = options;
  const faults: string[] = [];
  const read = async (path: string, limit: number): Promise<string | undefined> => {
    try {
      return await untilAborted(readRegularFile(path, { files, limit }), signal);
    } catch (cause) {
      signal.throwIfAborted();
      faults.push(`cannot read '${path}': ${cause instanceof Error ? cause.message : cause}`);
      return undefined;
    }
  };

  const fromFlags = ruleFromFlags(flags, faults);
  const text = flags.policyFile === undefined ? undefined : await read(flags.policyFile, MAX_FILE_BYTES);
  const fromFile = text === undefined ? {} : ruleFromFile(text, repository, faults);
  const rule = combineRules(fromFlags, resolvePaths(fromFile, flags.policyFile ?? ""));
  const mode = rule.mode ?? "auto";
  const keys: TrustedKey[] = [];
  let trust: KeylessTrust | undefined;
  if (mode !== "off") {
    for (const path of rule.keys ?? []) {
      const pem = await read(path, MAX_KEY_BYTES);
      if (pem !== undefined) await attempt(path, faults, () => keys.push(parseTrustedKey(path, pem)));
    }
    const { trustedRoot } = rule;
    const root = trustedRoot === undefined ? undefined : await read(trustedRoot, MAX_FILE_BYTES);
    if (trustedRoot !== undefined && root !== undefined) {
      await attempt(trustedRoot, faults, async () => trust = await readTrustedRoot(trustedRoot, root));
    }
    if (rule.identities && trustedRoot === undefined) {
      faults.push("a certificate identity needs --trusted-root: trust is never fetched from the network");
    }
    if (trustedRoot !== undefined && !rule.identities) {
      faults.push(
        "a trusted root needs a certificate identity and issuer: it issues certificates to anybody",
      );
    }
    if (mode === "auto" && !rule.keys?.length && !rule.identities?.length) faults.push(...idleDemands(rule));
  }
  if (faults.length > 0) {
    throw new SignatureError("bad-policy", `Cannot use the signature policy: ${faults.join("; ")}`);
  }
  const policy: SignaturePolicy = {
    mode,
    keys,
    identities: mode === "off" ? [] : rule.identities ?? [],
    ...(trust ? { trust } : {}),
    annotations: rule.annotations ?? {},
    signedAs: rule.signedAs ?? [],
  };
  demandTrust(policy);
  return policy;
}

/** A pipe would be waited for without an end. */
async function readRegularFile(
  path: string,
  { files, limit }: { readonly files: Pick<Files, "facts" | "readText">; readonly limit: number },
): Promise<string> {
  const facts = await files.facts(path);
  if (!facts) throw new TypeError("nothing is there");
  if (!facts.isFile) {
    throw new TypeError(`it is ${facts.isDirectory ? "a directory" : "a pipe or device"}, wanted a file`);
  }
  return await files.readText(path, limit);
}

/** What is demanded of a signature that is not even looked for, as nobody is trusted to make it. */
function idleDemands({ annotations = {}, signedAs = [] }: SignatureRule): string[] {
  return [
    ...(Object.keys(annotations).length > 0 ? ["annotations (--signature-annotation)"] : []),
    ...(signedAs.length > 0 ? ["other repositories (--signed-as)"] : []),
  ].map((demand) =>
    `${demand} say what must be signed, but nobody is trusted to sign it: give --cosign-key or an identity`
  );
}

async function attempt(path: string, faults: string[], action: () => unknown): Promise<void> {
  try {
    await action();
  } catch (fault) {
    faults.push(`cannot use '${path}': ${fault instanceof Error ? fault.message : fault}`);
  }
}

/** Paths as the program can open them. */
function resolvePaths<Rule extends { readonly keys?: readonly string[]; readonly trustedRoot?: string }>(
  rule: Rule,
  policyFile: string,
): Rule {
  const directory = policyFile.slice(0, policyFile.lastIndexOf("/") + 1);
  const resolve = (path: string): string => path.startsWith("/") ? path : `${directory}${path}`;
  return {
    ...rule,
    ...(rule.keys ? { keys: rule.keys.map(resolve) } : {}),
    ...(rule.trustedRoot === undefined ? {} : { trustedRoot: resolve(rule.trustedRoot) }),
  };
}
