import { readCosignLayer } from "./cosign_layer.ts";
import { SIGN_PREDICATE_TYPE } from "./in_toto_statement.ts";
import { ReadingBudget } from "./reading_budget.ts";
import { SignatureError } from "./signature_error.ts";
import { type SignatureLayer, signatureLayers } from "./signature_manifest.ts";
import type { FetchedManifest, Referrer, SignatureSource } from "./signature_source.ts";
import { BUNDLE_MEDIA_TYPE, readStoredBundle } from "./sigstore_bundle.ts";
import type { SignatureContent, StoredSignature } from "./stored_signature.ts";

/** A payload names a digest, a repository and some annotations: half a KiB as cosign writes it. */
const MAX_PAYLOAD_BYTES = 64 * 1024;

/** A bundle holds a payload, a certificate and a proof per log: some 10 KiB. */
const MAX_BUNDLE_BYTES = 1024 * 1024;

/** cosign's first form pushed as a referrer in place of a tag. */
const COSIGN_ARTIFACT_TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json";

/** Where to look, and for what. */
export interface SignatureSearch {
  /** The image's repository. */
  readonly source: SignatureSource;
  /** Digest of the image whose signatures are wanted. */
  readonly digest: string;
  /** Ends the search. */
  readonly signal: AbortSignal;
}

/** A search that is under way. */
interface Reading extends SignatureSearch {
  readonly budget: ReadingBudget;
  /** The signed manifest itself, fetched when the first signature is over its bytes. */
  signed(): Promise<FetchedManifest>;
}

/**
 * Reads the signatures stored beside an image one after the other, so that nothing is fetched after the one that is
 * accepted. What cannot be read is yielded as the refusal it deserves.
 *
 * Throws {@linkcode SignatureError} `limit` when there are too many; errors of the source pass through.
 */
export async function* findSignatures(
  search: SignatureSearch,
): AsyncGenerator<StoredSignature | SignatureError> {
  const budget = new ReadingBudget(search.digest);
  let signed: Promise<FetchedManifest> | undefined;
  const reading: Reading = { ...search, budget, signed: () => signed ??= signedManifest(search) };
  yield* taggedSignatures(reading);
  yield* referringSignatures(reading);
}

async function* taggedSignatures(search: Reading): AsyncGenerator<StoredSignature | SignatureError> {
  const tag = `${search.digest.replace(":", "-")}.sig`;
  const manifest = await search.source.manifest(tag, search.signal).catch(orRethrow);
  if (manifest instanceof SignatureError) yield manifest;
  else if (manifest) yield* readManifest(manifest, { ...search, form: "tag" });
}

async function* referringSignatures(search: Reading): AsyncGenerator<StoredSignature | SignatureError> {
  const { source, digest, signal } = search;
  const referrers = (await source.referrers(digest, signal)).filter(mayBeSignature);
  search.budget.checkListed(referrers.length);
  for (const referrer of referrers) {
    const manifest = await source.manifest(referrer.digest, signal).catch(orRethrow) ??
      new SignatureError("bad-bundle", `Cannot read signature ${referrer.digest}: it is listed but absent`);
    if (manifest instanceof SignatureError) yield manifest;
    else yield* readManifest(manifest, { ...search, form: "referrer" });
  }
}

/** Spares a request for what says that it is something else; what says nothing is looked at. */
function mayBeSignature({ artifactType, annotations }: Referrer): boolean {
  const predicate = annotations["dev.sigstore.bundle.predicateType"] || SIGN_PREDICATE_TYPE;
  if (predicate !== SIGN_PREDICATE_TYPE) return false;
  return !artifactType || artifactType === COSIGN_ARTIFACT_TYPE || BUNDLE_MEDIA_TYPE.test(artifactType);
}

async function* readManifest(
  manifest: FetchedManifest,
  search: Reading & Pick<StoredSignature, "form">,
): AsyncGenerator<StoredSignature | SignatureError> {
  search.budget.countBytes(manifest.bytes.length);
  let layers: readonly SignatureLayer[];
  try {
    layers = signatureLayers(manifest);
  } catch (failure) {
    return yield orRethrow(failure);
  }
  for (const layer of layers) {
    search.budget.countLayer();
    const limit = layer.kind === "payload" ? MAX_PAYLOAD_BYTES : MAX_BUNDLE_BYTES;
    if (layer.size > limit) {
      yield new SignatureError(
        "limit",
        `Cannot read signature ${layer.digest}: ${layer.size} bytes, at most ${limit} are read`,
      );
      continue;
    }
    search.budget.countBytes(layer.size);
    const content = await readLayer(layer, search).catch(orRethrow);
    if (content instanceof SignatureError) yield content;
    else if (content) yield { ...content, form: search.form };
  }
}

async function readLayer(layer: SignatureLayer, search: Reading): Promise<SignatureContent | undefined> {
  const { digest, mediaType, size } = layer;
  const content = await search.source.blob({ digest, size, mediaType }, size, search.signal);
  return layer.kind === "payload"
    ? readCosignLayer(content, layer.annotations)
    : readStoredBundle(content, search.signed);
}

async function signedManifest({ source, digest, signal }: SignatureSearch): Promise<FetchedManifest> {
  const manifest = await source.manifest(digest, signal);
  if (manifest) return manifest;
  throw new SignatureError("bad-bundle", `Cannot read the signed manifest ${digest}: it is absent`);
}

/** A refusal of one signature is not one of the next; anything else is not for this room to judge. */
function orRethrow(failure: unknown): SignatureError {
  if (failure instanceof SignatureError) return failure;
  throw failure;
}
