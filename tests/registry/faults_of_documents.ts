import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ERROR_BODY_LIMIT } from "../../src/registry/failed_answer.ts";
import { DOCUMENT_LIMIT } from "../../src/registry/manifest.ts";
import { buildArtifact } from "../builders/oci_artifact.ts";
import { buildIndex, MEDIA_TYPES, type OciImage } from "../builders/oci_image.ts";
import {
  ABSENT_DIGEST,
  cutTo,
  editConfigDescriptor,
  editFirstEntry,
  editFirstLayer,
  flipByte,
  withContent,
  withoutContent,
} from "../builders/oci_spoil.ts";
import {
  answer,
  changeBody,
  chunked,
  corrupt,
  encodeGzip,
  hugeBody,
  manifestRequests,
  setHeaders,
  truncate,
} from "../lab/registry_fault.ts";
import {
  type AttackCase,
  childManifest,
  configRequests,
  IMAGE,
  imageWith,
  layerRequestCount,
  MANIFEST_DIGEST,
  requestsOf,
  warnings,
} from "./attack_bench.ts";

const tagRequests = manifestRequests("v1");
const SINGLE = imageWith({});
const OTHER_CHILD = IMAGE.manifests.find(({ descriptor }) => descriptor.platform?.architecture === "esp32");
const CONFIG = SINGLE.blobs[0];

/** Both kinds of lie about one descriptor are told by the document itself, so its own digest is true. */
function liar(name: string, image: OciImage, expected: AttackCase["expected"]): AttackCase {
  return { name, image, expected, check: (bench) => assertEquals(layerRequestCount(bench), 0) };
}

function nest(depth: number): OciImage {
  return depth === 0 ? SINGLE : buildIndex({ format: "oci", entries: [nest(depth - 1)] });
}

/** Documents that are false, hostile or too large. */
export const FAULTS_OF_DOCUMENTS: readonly AttackCase[] = [
  {
    name: "a manifest with one other byte is refused",
    arrange: ({ fault }) => fault(childManifest, corrupt(-3)),
    expected: "content-mismatch",
    check: (bench) => assertEquals(requestsOf(bench, configRequests).length, 0),
  },
  {
    name: "a good manifest in place of another one is refused",
    arrange: ({ fault }) => fault(childManifest, changeBody(() => OTHER_CHILD?.bytes ?? new Uint8Array())),
    expected: "content-mismatch",
  },
  {
    name: "a manifest stored wrong is refused",
    image: withContent(IMAGE, MANIFEST_DIGEST, flipByte(-10)),
    expected: "content-mismatch",
  },
  {
    name: "a manifest cut short by its store is refused",
    image: withContent(IMAGE, MANIFEST_DIGEST, cutTo(100)),
    expected: "content-mismatch",
  },
  {
    name: "a missing manifest behind an index is not found",
    image: withoutContent(IMAGE, MANIFEST_DIGEST),
    expected: "not-found",
  },
  liar(
    "a manifest of another size than its index says is refused",
    buildIndex({ format: "oci", entries: [SINGLE], editIndex: editFirstEntry({ size: 5 }) }),
    "content-mismatch",
  ),
  liar(
    "an index entry that is no manifest of its type is refused",
    buildIndex({
      format: "oci",
      entries: [SINGLE],
      editIndex: editFirstEntry({ mediaType: MEDIA_TYPES.docker.manifest }),
    }),
    "invalid-document",
  ),
  {
    name: "a lying Docker-Content-Digest only warns, the bytes decide",
    arrange: ({ fault }) => fault(tagRequests, setHeaders({ "Docker-Content-Digest": ABSENT_DIGEST })),
    expected: "success",
    check: (bench) => assertStringIncludes(warnings(bench).join(), "Docker-Content-Digest"),
  },
  {
    name: "a missing Docker-Content-Digest does not matter",
    arrange: ({ fault }) => fault(() => true, setHeaders({ "Docker-Content-Digest": null })),
    expected: "success",
    check: (bench) => assertEquals(warnings(bench), []),
  },
  {
    name: "a Content-Type that says nothing does not matter",
    arrange: ({ fault }) =>
      fault(manifestRequests(), setHeaders({ "Content-Type": "text/plain; charset=utf-8" })),
    expected: "success",
  },
  {
    name: "a Content-Type with parameters is read",
    arrange: ({ fault }) =>
      fault(tagRequests, setHeaders({ "Content-Type": `${MEDIA_TYPES.oci.index}; charset=utf-8` })),
    expected: "success",
  },
  {
    name: "a Content-Type that contradicts the document is refused",
    arrange: ({ fault }) => fault(tagRequests, setHeaders({ "Content-Type": MEDIA_TYPES.oci.manifest })),
    expected: "invalid-document",
  },
  {
    name: "a schema 1 manifest is refused by name",
    arrange: ({ fault }) =>
      fault(
        tagRequests,
        answer(
          200,
          { "Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws" },
          '{"schemaVersion":1,"fsLayers":[]}',
        ),
      ),
    expected: "unsupported",
  },
  {
    name: "a login page in place of a manifest is refused",
    arrange: ({ fault }) =>
      fault(tagRequests, answer(200, { "Content-Type": "text/html" }, "<html>Log in</html>")),
    expected: "invalid-document",
  },
  {
    name: "an empty manifest is refused",
    arrange: ({ fault }) => fault(tagRequests, answer(200, { "Content-Type": MEDIA_TYPES.oci.index })),
    expected: "invalid-document",
  },
  {
    name: "a manifest compressed on the way is refused",
    arrange: ({ fault }) => fault(tagRequests, encodeGzip()),
    expected: "invalid-document",
  },
  {
    name: "a manifest that ends early and says so is refused",
    arrange: ({ fault }) => fault(tagRequests, truncate(100, "true")),
    expected: "invalid-document",
  },
  {
    name: "a chunked manifest is as good",
    arrange: ({ fault }) => fault(manifestRequests(), chunked()),
    expected: "success",
  },
  ...([[DOCUMENT_LIMIT, "success"], [DOCUMENT_LIMIT + 1, "limit"]] as const).map((
    [length, expected],
  ): AttackCase => ({
    name: `a manifest of ${length} bytes: ${expected}`,
    arrange: ({ fault }) =>
      fault(
        tagRequests,
        changeBody((body) => new TextEncoder().encode(new TextDecoder().decode(body).padEnd(length))),
      ),
    expected,
  })),
  {
    name: "an endless manifest is left after 4 MiB",
    arrange({ fault }) {
      fault(tagRequests, setHeaders({ "Content-Length": null }));
      fault(tagRequests, hugeBody(1024 ** 3));
    },
    expected: "limit",
    check: ({ registry: { requests: [request] } }) =>
      assert((request?.bodyBytesSent ?? 0) < 64 * 1024 * 1024),
  },
  {
    name: "an endless error page is not read to its end",
    arrange({ fault }) {
      fault(tagRequests, answer(404, {}, "x"));
      fault(tagRequests, hugeBody(1024 ** 3));
    },
    expected: "not-found",
    check: ({ registry: { requests: [request] } }) =>
      assert((request?.bodyBytesSent ?? 0) < 64 * 1024 * 1024),
  },
  ...([[ERROR_BODY_LIMIT, "read"], [ERROR_BODY_LIMIT + 1, "known by its status alone"]] as const).map((
    [length, expected],
  ): AttackCase => ({
    name: `an error of ${length} bytes is ${expected}`,
    arrange: ({ fault }) =>
      fault(tagRequests, answer(503, {}, '{"errors":[{"message":"in a moment"}]}'.padEnd(length)), {
        times: 1,
      }),
    expected: "success",
    check({ world }) {
      const said = world.lines.filter(({ message }) => message.includes("503 (in a moment)"));
      assertEquals(said.length, expected === "read" ? 1 : 0);
    },
  })),
  {
    name: "an endless config is left after its size",
    arrange({ fault }) {
      fault(configRequests, setHeaders({ "Content-Length": null }));
      fault(configRequests, hugeBody(1024 ** 3));
    },
    expected: "limit",
  },
  liar(
    "a document that is both index and manifest is refused",
    imageWith({ editManifest: (manifest) => ({ ...manifest, manifests: [] }) }),
    "invalid-document",
  ),
  liar(
    "a layer digest that is a path is refused",
    imageWith({ editManifest: editFirstLayer({ digest: "sha256:../../../../etc/passwd" }) }),
    "invalid-document",
  ),
  liar(
    "a layer of a negative size is refused",
    imageWith({ editManifest: editFirstLayer({ size: -1 }) }),
    "invalid-document",
  ),
  liar(
    "a layer of 2^62 bytes is refused: sizes are exact numbers",
    imageWith({ editManifest: editFirstLayer({ size: 2 ** 62 }) }),
    "invalid-document",
  ),
  {
    name: "a layer said to be larger than it is is refused before it is read",
    image: imageWith({ editManifest: editFirstLayer({ size: 2 ** 40 }) }),
    expected: "content-mismatch",
  },
  {
    name: "a layer said to be smaller than it is is refused before it is read",
    image: imageWith({ editManifest: editFirstLayer({ size: 10 }) }),
    expected: "content-mismatch",
  },
  liar(
    "a config said to be huge is not fetched",
    imageWith({ editManifest: editConfigDescriptor({ size: 2 ** 40 }) }),
    "limit",
  ),
  {
    name: "a config of other bytes is refused",
    image: withContent(SINGLE, CONFIG?.descriptor.digest ?? "", flipByte(5)),
    expected: "content-mismatch",
  },
  liar(
    "a config without diffIDs is refused",
    imageWith({ editConfig: (config) => ({ ...config, rootfs: {} }) }),
    "invalid-document",
  ),
  liar("a config that is no object is refused", imageWith({ editConfig: () => [] }), "invalid-document"),
  liar(
    "a single image for another platform is refused",
    imageWith({ platform: { os: "custom", architecture: "esp32" } }),
    "wrong-platform",
  ),
  liar(
    "a single image that names no platform is refused",
    imageWith({ editConfig: ({ os: _os, architecture: _architecture, ...rest }) => rest }),
    "wrong-platform",
  ),
  {
    name: "an index that contradicts the config of its image warns",
    image: buildIndex({
      format: "oci",
      entries: [imageWith({ platform: { os: "custom", architecture: "esp32" } })],
      editIndex: editFirstEntry({ platform: { os: "custom", architecture: "esp32s3" } }),
    }),
    expected: "success",
    check: (bench) => assertStringIncludes(warnings(bench).join(), "custom/esp32"),
  },
  {
    name: "an entry without a platform is taken when its config fits",
    image: buildIndex({
      format: "oci",
      entries: [SINGLE],
      editIndex: (index) => ({ ...index, manifests: [{ ...SINGLE.descriptor, platform: undefined }] }),
    }),
    expected: "success",
  },
  liar(
    "an index without entries has no platforms",
    buildIndex({ format: "oci", entries: [] }),
    "platform-missing",
  ),
  {
    name: "indexes that are too large together are left before all are fetched",
    image: buildIndex({
      format: "oci",
      entries: ["a", "b", "c", "d", "e"].map((letter) =>
        buildIndex({
          format: "oci",
          entries: [SINGLE],
          annotations: { large: letter.repeat(DOCUMENT_LIMIT - 10_000) },
        })
      ),
    }),
    expected: "limit",
    check: (bench) => assertEquals(requestsOf(bench, manifestRequests()).length, 5),
  },
  liar("four indexes inside each other are too many", nest(4), "limit"),
  {
    name: "an artifact without a platform is taken with a warning",
    image: buildArtifact({
      artifactType: "application/vnd.example.fw",
      files: [{ title: "a.bin", bytes: new Uint8Array(9) }],
    }),
    expected: "success",
    check: (bench) => assertStringIncludes(warnings(bench).join(), "names no platform"),
  },
  {
    name: "inline data is used in place of the blob",
    image: imageWith({ inlineData: true }),
    expected: "success",
    check: (bench) => assertEquals(layerRequestCount(bench), 0),
  },
  {
    name: "inline data of other bytes is refused",
    image: imageWith({ editManifest: editFirstLayer({ data: btoa("other bytes") }) }),
    expected: "content-mismatch",
  },
  {
    name: "inline data that is not base64 is refused",
    image: imageWith({ editManifest: editFirstLayer({ data: "%%%" }) }),
    expected: "content-mismatch",
  },
];
