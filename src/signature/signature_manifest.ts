import * as v from "valibot";
import { SIMPLE_SIGNING_MEDIA_TYPE } from "./cosign_layer.ts";
import { SignatureError } from "./signature_error.ts";
import type { FetchedManifest } from "./signature_source.ts";
import { BUNDLE_MEDIA_TYPE } from "./sigstore_bundle.ts";

/** Every run of a pipeline may add a signature; beyond this nobody has cleaned up for long, or somebody is attacking. */
export const MAX_SIGNATURES = 100;

const Descriptor = v.object({
  mediaType: v.string(),
  digest: v.pipe(v.string(), v.regex(/^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$/)),
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  annotations: v.optional(v.nullable(v.record(v.string(), v.string()))),
});

const Manifest = v.object({ layers: v.array(Descriptor) });

/** A layer that holds a signature. */
export interface SignatureLayer {
  /** `payload`: simple signing, the signature stands in the annotations. `bundle`: a Sigstore bundle. */
  readonly kind: "payload" | "bundle";
  /** Media type as the manifest has it. */
  readonly mediaType: string;
  /** `sha256:<hex>` */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** Of the layer; the signature itself stands here in the first form. */
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * The layers of a manifest that hold signatures, in order; none when it is about something else.
 *
 * Throws {@linkcode SignatureError} `bad-bundle` or `limit`.
 */
export function signatureLayers(manifest: FetchedManifest): readonly SignatureLayer[] {
  // Trust boundary: whoever may push to the repository wrote this.
  const parsed = v.safeParse(Manifest, parseJson(manifest));
  if (!parsed.success) {
    throw new SignatureError(
      "bad-bundle",
      `Cannot read the signatures in manifest ${manifest.digest}: ${
        v.getDotPath(parsed.issues[0]) ?? "content"
      } is not as in an OCI image manifest`,
    );
  }
  const { layers } = parsed.output;
  if (layers.length > MAX_SIGNATURES) {
    throw new SignatureError(
      "limit",
      `Cannot read the signatures in manifest ${manifest.digest}: ${layers.length} layers, at most ${MAX_SIGNATURES} are read; remove old signatures`,
    );
  }
  return layers.flatMap(({ annotations, ...layer }) => {
    const kind = kindOf(layer.mediaType);
    return kind ? [{ kind, ...layer, annotations: annotations ?? {} }] : [];
  });
}

function kindOf(mediaType: string): SignatureLayer["kind"] | undefined {
  if (mediaType === SIMPLE_SIGNING_MEDIA_TYPE) return "payload";
  return BUNDLE_MEDIA_TYPE.test(mediaType) ? "bundle" : undefined;
}

function parseJson({ bytes, digest }: FetchedManifest): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new SignatureError(
      "bad-bundle",
      `Cannot read the signatures in manifest ${digest}: it is not JSON`,
      {
        cause,
      },
    );
  }
}
