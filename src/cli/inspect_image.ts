import { checkSignature, type ImageToVerify } from "../check_signature.ts";
import { fetchFirmwareFile, resolveFirmwareImage } from "../pull_firmware.ts";
import type { PullSettings } from "../job/pull_config.ts";
import { formatPlatform } from "../registry/descriptor.ts";
import type { ImageListing, ListedEntry } from "../registry/image_listing.ts";
import type { ResolvedImage } from "../registry/image_resolver.ts";
import { formatReference, type ImageReference } from "../registry/reference.ts";
import { openRegistry, type RegistryClient } from "../registry/registry_client.ts";
import type { InspectedFile, ListedDocument, ListedImage, SignatureFacts } from "../report/inspect_report.ts";
import { SignatureError } from "../signature/signature_error.ts";
import type { CommandContext } from "./command.ts";
import type { InspectRequest } from "./inspect_command.ts";
import { type Look, lookAtFirmware } from "./inspect_file.ts";

/**
 * Looks at what a reference offers and, for a device, at the firmware of its platform.
 *
 * Throws the registry's and the firmware room's errors; a refused signature is a finding, not a failure.
 */
export async function lookAtImage(
  reference: ImageReference,
  request: InspectRequest,
  context: CommandContext,
): Promise<Look> {
  using registry = openRegistry(request.registry, context.world);
  // As in a job, the pin may name the document itself or one that it offers.
  const { signal } = context;
  const listing = await registry.listPlatforms(reference, { signal, expectDigest: request.expectDigest });
  const image = listedImage(listing);
  // From here on by digest: a tag that moves meanwhile must not mix two images in one answer.
  const pinned = { ...reference, digest: listing.digest };
  const { pull } = request;
  if (pull === undefined) {
    const named = { digest: listing.digest };
    const isIndex = listing.entries.every(({ digest }) => digest !== listing.digest);
    const signed = { reference: pinned, manifest: named, ...(isIndex ? { index: named } : {}) };
    const signature = await judgeSignature(signed, request, { ...context, registry });
    return { report: { outcome: "inspected", code: 0, image, signature }, fileTable: [] };
  }
  const wish = { reference: pinned, settings: pull };
  const resolved = await resolveFirmwareImage(wish, registry, context.world, context.signal);
  const signature = await judgeSignature(resolved, request, { ...context, registry });
  const { firmware, fileTable } = await lookInside(resolved, { ...request, pull }, { ...context, registry });
  return { report: { outcome: "inspected", code: 0, image, firmware, signature }, fileTable };
}

/** A context with the registry that holds the image. */
type ImageContext = CommandContext & { readonly registry: RegistryClient };

/** Pulls the firmware into a temporary file, which is gone when this returns, and looks at it. */
async function lookInside(
  image: ResolvedImage,
  request: InspectRequest & { readonly pull: PullSettings },
  { world, screen, signal, registry }: ImageContext,
): Promise<{ firmware: InspectedFile; fileTable: readonly string[] }> {
  const onProgress = (doneBytes: number, totalBytes: number): void =>
    screen.progress(
      { step: "Pulling", doneBytes, totalBytes },
      world.clock.now(),
      (line) => world.log.info(line),
    );
  await using file = await fetchFirmwareFile(image, request.pull, registry, world, { signal, onProgress });
  const { fileTable, ...found } = await lookAtFirmware(file.path, request, { world, signal });
  const foundIn = {
    platform: formatPlatform(image.platform),
    manifestDigest: image.manifest.digest,
    layerDigest: file.layerDigest,
  };
  return { firmware: { path: file.pathInImage, sha256: file.sha256, foundIn, ...found }, fileTable };
}

/** The state of the signature; a policy that is not met is told, as a job would end there. */
async function judgeSignature(
  image: ImageToVerify,
  request: InspectRequest,
  { registry, world, signal }: ImageContext,
): Promise<SignatureFacts> {
  try {
    const warn = (message: string): void => world.log.room("signature").warn(message);
    const { state, summary } = await checkSignature(image, request.signature, {
      registry,
      world,
      signal,
      warn,
    });
    return { state, message: summary };
  } catch (error) {
    if (!(error instanceof SignatureError)) throw error;
    return { state: "refused", code: error.code, message: error.message };
  }
}

function listedImage(
  { reference, entries, digest, mediaType, size, annotations }: ImageListing,
): ListedImage {
  return {
    reference: formatReference(reference),
    digest,
    mediaType,
    size,
    annotations,
    entries: entries.map((entry) => listedDocument(entry, reference)),
  };
}

function listedDocument(entry: ListedEntry, { registry, repository }: ImageReference): ListedDocument {
  const { kind, platform, artifactType, digest, mediaType, size, annotations } = entry;
  const layers = entry.layers.map((layer) => ({
    digest: layer.digest,
    mediaType: layer.mediaType,
    size: layer.size,
    annotations: layer.annotations,
  }));
  return {
    kind,
    name: formatReference({ registry, repository, digest }),
    ...(platform === undefined ? {} : { platform: formatPlatform(platform) }),
    ...(artifactType === undefined ? {} : { artifactType }),
    digest,
    mediaType,
    size,
    contentSize: layers.reduce((sum, layer) => sum + layer.size, 0),
    annotations,
    layers,
  };
}
