import { ConfigError } from "./job/config_error.ts";
import type { Descriptor } from "./registry/descriptor.ts";
import { parseDigest } from "./registry/digest.ts";
import type { ImageReference } from "./registry/reference.ts";
import type { RegistryClient } from "./registry/registry_client.ts";
import { RegistryError, type RegistryErrorCode } from "./registry/registry_error.ts";
import { SignatureError } from "./signature/signature_error.ts";
import type { SignatureFlags } from "./signature/signature_rule.ts";
import type { BlobDescriptor, SignatureSource } from "./signature/signature_source.ts";
import type { SignatureReport } from "./signature/verify_signatures.ts";
import type { World } from "./world.ts";

/** What the check needs. */
export interface SignatureContext {
  /** Holds the image and its signatures. */
  readonly registry: RegistryClient;
  /** The effects. */
  readonly world: World;
  /** Ends the check. */
  readonly signal: AbortSignal;
  /** Told when an unsigned image is let through although somebody is trusted to sign. */
  readonly warn: (message: string) => void;
}

/** The image a signature is wanted of: what a reference led to. */
export interface ImageToVerify {
  /** By which it was found. */
  readonly reference: ImageReference;
  /** Missing when the reference named the manifest itself. */
  readonly index?: { readonly digest: string };
  /** Of the platform. */
  readonly manifest: { readonly digest: string };
}

/**
 * Applies the signature policy to an image; resolves to a sentence for the report.
 *
 * Throws what {@linkcode checkSignature} throws, but {@linkcode ConfigError} for a faulty policy: no image could meet it.
 */
export async function demandSignature(
  image: ImageToVerify,
  flags: SignatureFlags,
  context: SignatureContext,
): Promise<string> {
  try {
    return (await checkSignature(image, flags, context)).summary;
  } catch (error) {
    if (error instanceof SignatureError && error.code === "bad-policy") {
      throw new ConfigError([error.message]);
    }
    throw error;
  }
}

/**
 * Applies the signature policy to an image, and tells what was found.
 *
 * The signature room is loaded only when a policy asks for it: a job without one pays nothing. Throws its
 * `SignatureError`, or the registry's errors.
 */
export async function checkSignature(
  image: ImageToVerify,
  flags: SignatureFlags,
  context: SignatureContext,
): Promise<SignatureReport> {
  if (!asksForCheck(flags)) return { state: "not-checked", summary: "not checked" };
  const { loadSignaturePolicy } = await import("./signature/load_policy.ts");
  const { verifySignatures } = await import("./signature/verify_signatures.ts");
  const repository = `${image.reference.registry}/${image.reference.repository}`;
  const policy = await loadSignaturePolicy(flags, repository, {
    files: context.world.files,
    signal: context.signal,
  });
  const report = await verifySignatures(
    {
      reference: repository,
      manifestDigest: image.manifest.digest,
      ...(image.index === undefined ? {} : { indexDigest: image.index.digest }),
    },
    policy,
    { source: signatureSource(image.reference, context.registry), signal: context.signal },
  );
  const log = context.world.log.room("signature");
  if (report.state === "unsigned") context.warn(report.summary);
  else log.info(report.summary);
  return report;
}

/** With the defaults nothing is loaded and nothing is asked. */
function asksForCheck(flags: SignatureFlags): boolean {
  if (flags.mode === "off") return false;
  return flags.mode === "require" || Object.keys(flags).some((name) => name !== "mode");
}

/** What is wrong with one document beside the image, and says nothing about the next: the registry has answered. */
const UNREADABLE: ReadonlySet<RegistryErrorCode> = new Set([
  "not-found",
  "content-mismatch",
  "invalid-document",
  "unsupported",
  "limit",
]);

/** The image's repository as the signature room wants it. */
function signatureSource(reference: ImageReference, registry: RegistryClient): SignatureSource {
  const { registry: host, repository } = reference;
  const named = (name: string): ImageReference => {
    return name.includes(":")
      ? { registry: host, repository, digest: parseDigest(name) }
      : { registry: host, repository, tag: name };
  };
  return {
    async manifest(name, signal) {
      try {
        return await registry.fetchManifest(named(name), { signal });
      } catch (error) {
        if (error instanceof RegistryError && error.code === "not-found") return undefined;
        throw refusalOf(name, error);
      }
    },
    async blob(descriptor, limit, signal) {
      const { digest } = descriptor;
      try {
        return await wholeBlob(registry, named(digest), descriptor, { limit, signal });
      } catch (error) {
        throw refusalOf(digest, error);
      }
    },
    referrers: (digest, signal) => registry.listReferrers(named(digest), { signal }),
  };
}

/** The refusal of the one signature that cannot be read; any other failure as it is, as it would meet the next one too. */
function refusalOf(name: string, failure: unknown): unknown {
  if (!(failure instanceof RegistryError) || !UNREADABLE.has(failure.code)) return failure;
  const message = `Cannot accept signature '${name}', which cannot be read: ${failure.message}`;
  return new SignatureError("bad-bundle", message, { cause: failure });
}

async function wholeBlob(
  registry: RegistryClient,
  reference: ImageReference,
  descriptor: BlobDescriptor,
  bounds: { readonly limit: number; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  if (descriptor.size > bounds.limit) {
    throw new RegistryError(
      "limit",
      `Cannot read blob '${descriptor.digest}': it has ${descriptor.size} bytes, wanted at most ${bounds.limit}`,
    );
  }
  const blob: Descriptor = { ...descriptor, digest: parseDigest(descriptor.digest), annotations: {} };
  // The stream ends after descriptor.size bytes or fails, so this buffer is bounded by the limit above.
  return new Uint8Array(
    await new Response(registry.openBlob(reference, blob, { signal: bounds.signal })).arrayBuffer(),
  );
}
