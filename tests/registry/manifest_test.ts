import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseImageConfig } from "../../src/registry/image_config.ts";
import { ANNOTATION_LIMIT, type Manifest, parseDocument } from "../../src/registry/manifest.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import { MEDIA_TYPES } from "../builders/oci_image.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;
const CONFIG = { mediaType: MEDIA_TYPES.oci.config, digest: DIGEST, size: 2 };
const LAYER = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: DIGEST, size: 9 };
const MANIFEST = { schemaVersion: 2, mediaType: MEDIA_TYPES.oci.manifest, config: CONFIG, layers: [LAYER] };
const INDEX = {
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.oci.index,
  manifests: [{ mediaType: MEDIA_TYPES.oci.manifest, digest: DIGEST, size: 5 }],
};

function bytesOf(document: unknown): Uint8Array {
  return new TextEncoder().encode(typeof document === "string" ? document : JSON.stringify(document));
}

function parse(document: unknown, announced?: string) {
  return parseDocument(bytesOf(document), { announced, name: "x" });
}

Deno.test("parseDocument: documents of both families, with what writers leave out", () => {
  const { mediaType: _, ...nameless } = MANIFEST;
  const table: readonly (readonly [unknown, string | undefined, "index" | "manifest"])[] = [
    [MANIFEST, MEDIA_TYPES.oci.manifest, "manifest"],
    [{ ...MANIFEST, mediaType: MEDIA_TYPES.docker.manifest }, MEDIA_TYPES.docker.manifest, "manifest"],
    [nameless, MEDIA_TYPES.oci.manifest, "manifest"],
    [nameless, undefined, "manifest"],
    [MANIFEST, "text/plain", "manifest"],
    [MANIFEST, "application/octet-stream", "manifest"],
    [{ ...MANIFEST, layers: null, annotations: null }, undefined, "manifest"],
    [{ ...MANIFEST, layers: [] }, undefined, "manifest"],
    [INDEX, MEDIA_TYPES.oci.index, "index"],
    [{ ...INDEX, mediaType: MEDIA_TYPES.docker.index }, MEDIA_TYPES.docker.index, "index"],
    [{ ...INDEX, manifests: [] }, undefined, "index"],
    [{ ...INDEX, manifests: null }, undefined, "index"],
    [{ ...INDEX, more: { anything: true } }, undefined, "index"],
  ];
  for (const [document, announced, kind] of table) assertEquals(parse(document, announced).kind, kind);
});

Deno.test("parseDocument: what is refused, and why", () => {
  const layers = (change: unknown) => ({ ...MANIFEST, layers: [{ ...LAYER, ...Object(change) }] });
  const table: readonly (readonly [unknown, string | undefined, string, string])[] = [
    ["", undefined, "invalid-document", "not a JSON object"],
    ["{", undefined, "invalid-document", "not a JSON object"],
    ["[]", undefined, "invalid-document", "not a JSON object"],
    ["null", undefined, "invalid-document", "not a JSON object"],
    ['"x"', undefined, "invalid-document", "not a JSON object"],
    [{}, undefined, "invalid-document", "neither"],
    [{ ...MANIFEST, manifests: [] }, undefined, "invalid-document", "both an index and a manifest"],
    [{ ...INDEX, config: CONFIG }, undefined, "invalid-document", "both an index and a manifest"],
    [{ ...INDEX, layers: [] }, undefined, "invalid-document", "both an index and a manifest"],
    [{ ...INDEX, mediaType: MEDIA_TYPES.oci.manifest }, undefined, "invalid-document", "is not that of"],
    [{ ...MANIFEST, mediaType: MEDIA_TYPES.oci.index }, undefined, "invalid-document", "is not that of"],
    [MANIFEST, MEDIA_TYPES.oci.index, "invalid-document", "was announced as"],
    [MANIFEST, MEDIA_TYPES.docker.manifest, "invalid-document", "was announced as"],
    [{ ...MANIFEST, schemaVersion: 3 }, undefined, "invalid-document", "schemaVersion"],
    [{ schemaVersion: 1, fsLayers: [] }, undefined, "unsupported", "schema 1"],
    [MANIFEST, "application/vnd.docker.distribution.manifest.v1+prettyjws", "unsupported", "schema 1"],
    [{ ...MANIFEST, config: undefined }, undefined, "invalid-document", "config"],
    [layers({ digest: "sha256:short" }), undefined, "invalid-document", "layers.0.digest"],
    [layers({ digest: "sha256:../../../etc/passwd" }), undefined, "invalid-document", "layers.0.digest"],
    [layers({ digest: `md5:${"a".repeat(32)}` }), undefined, "invalid-document", "layers.0.digest"],
    [layers({ size: -1 }), undefined, "invalid-document", "layers.0.size"],
    [layers({ size: 1.5 }), undefined, "invalid-document", "layers.0.size"],
    [layers({ size: 2 ** 60 }), undefined, "invalid-document", "layers.0.size"],
    [layers({ size: "9" }), undefined, "invalid-document", "layers.0.size"],
    [layers({ mediaType: "x".repeat(300) }), undefined, "invalid-document", "layers.0.mediaType"],
    [layers({ annotations: { a: 1 } }), undefined, "invalid-document", "annotations"],
    [layers({ urls: Array(17).fill("https://h/") }), undefined, "invalid-document", "urls"],
    [{ ...MANIFEST, layers: Array(257).fill(LAYER) }, undefined, "invalid-document", "layers"],
    [
      { ...INDEX, manifests: Array(1025).fill(INDEX.manifests[0]) },
      undefined,
      "invalid-document",
      "manifests",
    ],
  ];
  for (const [document, announced, code, found] of table) {
    const error = assertThrows(() => parse(document, announced), RegistryError);
    assertEquals(error.code, code, error.message);
    assertStringIncludes(error.message, found);
  }
});

Deno.test("parseDocument: as many annotations in all as an index of hundreds has, and not one more", () => {
  const annotations = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}`, ""]));
  const documents = (more: number) => [
    { ...MANIFEST, annotations: annotations(ANNOTATION_LIMIT + more) },
    {
      ...MANIFEST,
      annotations: annotations(ANNOTATION_LIMIT - 20),
      config: { ...CONFIG, annotations: annotations(10) },
      layers: [{ ...LAYER, annotations: annotations(10 + more) }],
    },
    { ...INDEX, manifests: [{ ...INDEX.manifests[0], annotations: annotations(ANNOTATION_LIMIT + more) }] },
  ];
  for (const document of documents(0)) assert(parse(document).kind !== undefined);
  for (const document of documents(1)) {
    assertEquals(assertThrows(() => parse(document), RegistryError).code, "limit");
  }
});

Deno.test("parseDocument: text that is not UTF-8 is refused", () => {
  const bytes = bytesOf({ ...MANIFEST, annotations: { a: "x" } });
  bytes[bytes.indexOf(0x78)] = 0xff;
  assertThrows(() => parseDocument(bytes, { announced: undefined, name: "x" }), RegistryError);
});

Deno.test("parseDocument, parseImageConfig: any JSON ends in a document or a typed error", () => {
  const key = fc.constantFrom(
    "schemaVersion",
    "mediaType",
    "manifests",
    "layers",
    "config",
    "digest",
    "size",
    "annotations",
    "platform",
    "os",
    "rootfs",
    "diff_ids",
    "Labels",
    "__proto__",
  );
  const leaf = fc.oneof(
    fc.constantFrom<unknown>(2, DIGEST, MEDIA_TYPES.oci.manifest, null, -1, "custom"),
    fc.string(),
  );
  const document = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(key, tie("value"), { maxKeys: 6 }),
    ),
  })).value;
  const known = parse(MANIFEST);
  assert(known.kind === "manifest");
  fc.assert(
    fc.property(fc.oneof(fc.string(), document.map((value) => JSON.stringify(value) ?? "")), (text) => {
      for (const read of [() => parse(text), () => parseImageConfig(bytesOf(text), known)]) {
        try {
          read();
        } catch (error) {
          assertInstanceOf(error, RegistryError);
        }
      }
    }),
    { seed: 20268, numRuns: 1500 },
  );
});

Deno.test("parseDocument: deep nesting neither overflows nor hangs", () => {
  const deep = `{"schemaVersion":2,"layers":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`;
  assertThrows(() => parse(deep), RegistryError);
});

function config(change: unknown, manifest: Manifest): () => unknown {
  const base = { os: "custom", architecture: "esp32s3", rootfs: { type: "layers", diff_ids: [DIGEST] } };
  return () => parseImageConfig(bytesOf({ ...base, ...Object(change) }), manifest);
}

Deno.test("parseImageConfig: one diffID per layer, labels of any writer", () => {
  const manifest = parse(MANIFEST);
  assert(manifest.kind === "manifest");
  for (
    const fine of [{}, { config: null }, { config: {} }, { config: { Labels: null } }, {
      config: { Labels: { a: "b" } },
    }]
  ) {
    config(fine, manifest)();
  }
  for (
    const wrong of [
      { rootfs: { diff_ids: [] } },
      { rootfs: { diff_ids: [DIGEST, DIGEST] } },
      { rootfs: { diff_ids: ["x"] } },
      { rootfs: null },
      { config: { Labels: { a: 1 } } },
      { os: 5 },
    ]
  ) {
    assertEquals(assertThrows(config(wrong, manifest), RegistryError).code, "invalid-document");
  }
});
