import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parseReference } from "../../src/registry/reference.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import type { RegistrySettings } from "../../src/registry/registry_settings.ts";
import type { World } from "../../src/world.ts";
import { DOCUMENT_LIMIT } from "../../src/registry/manifest.ts";
import { buildIndex, type OciImage } from "../builders/oci_image.ts";
import { buildLayer } from "../builders/oci_layer.ts";
import { firstLayerOf } from "../builders/oci_spoil.ts";
import { type LabRegistry, startRegistry } from "../lab/registry.ts";
import { answer, corrupt, drop, setHeaders, stall, trickle } from "../lab/registry_fault.ts";
import { buildArtifact } from "../builders/oci_artifact.ts";
import { IMAGE, imageWith, LAYER_SIZE, layerRequests, ROBOT } from "./attack_bench.ts";
import { codeOf, NEVER, openTestRegistry, pullAll, readBlob, testWorld, WANTED } from "./registry_rig.ts";

const LAYER = firstLayerOf(IMAGE, WANTED.architecture);
const always = (): boolean => true;

/** A registry behind a mirror, both with the image; the mirror is a proxy project as Harbor has them. */
async function withMirror(
  use: (both: { origin: LabRegistry; mirror: LabRegistry; pull: () => Promise<string> }) => Promise<void>,
  { image = IMAGE, world = {}, ...settings }: Partial<RegistrySettings> & {
    readonly image?: OciImage;
    readonly world?: Partial<World>;
  } = {},
): Promise<void> {
  await using origin = await startRegistry({
    auth: { kind: "basic", user: ROBOT.username, password: ROBOT.password },
  });
  await using mirror = await startRegistry();
  const name = origin.put(image, "iot/fw", "v1");
  mirror.put(image, "proxy/iot/fw", "v1");
  const mirrors = [{ registry: origin.host, mirror: `${mirror.host}/proxy` }];
  const pull = async () => {
    using client = openTestRegistry({ mirrors, credentials: ROBOT, ...settings }, testWorld(world));
    return await codeOf(() => pullAll(client, name));
  };
  await use({ origin, mirror, pull });
}

Deno.test("RegistryClient: a mirror is asked first, with its prefix and 'ns', and without the registry's credentials", async () => {
  await withMirror(async ({ origin, mirror, pull }) => {
    assertEquals(await pull(), "success");
    assertEquals(origin.requests.length, 0);
    assertEquals(mirror.requests.every(({ query }) => query.get("ns") === origin.host), true);
    assertEquals(mirror.requests.some(({ headers }) => headers.has("authorization")), false);
  });
});

Deno.test("RegistryClient: a mirror that asks for a password gets none, and the registry is asked", async () => {
  await withMirror(async ({ origin, mirror, pull }) => {
    mirror.fault({ match: always, action: answer(401, { "WWW-Authenticate": 'Basic realm="give me"' }) });
    assertEquals(await pull(), "success");
    assert(origin.requests.length > 0);
    assertEquals(mirror.requests.some(({ headers }) => headers.has("authorization")), false);
  });
});

Deno.test("RegistryClient: a mirror without the image, or with wrong bytes, gives way to the registry", async () => {
  for (const action of [answer(404), answer(500), corrupt(20)]) {
    await withMirror(async ({ mirror, pull }) => {
      mirror.fault({ match: ({ path }) => path.includes("/manifests/"), action });
      assertEquals(await pull(), "success");
    });
  }
});

Deno.test("RegistryClient: a blob that a mirror cannot finish goes on at the registry", async () => {
  await withMirror(async ({ origin, mirror, pull }) => {
    mirror.fault({ match: layerRequests, action: drop(100_000), times: 1 });
    mirror.fault({ match: layerRequests, action: answer(404), skip: 1 });
    assertEquals(await pull(), "success");
    const ranges = origin.requests.filter(layerRequests).map(({ headers }) => headers.get("range"));
    assertEquals(new Set(ranges), new Set(["bytes=100000-"]));
  });
});

Deno.test("RegistryClient: a mirror that says nothing is waited for once, one that fails is not asked again", async () => {
  await withMirror(async ({ mirror, pull }) => {
    const deaf = mirror.fault({ match: always, action: stall() });
    assertEquals(await pull(), "success");
    assertEquals(mirror.requests.length, 1);
    deaf.remove();
    mirror.fault({ match: layerRequests, action: answer(503, { "Retry-After": "60" }) });
    assertEquals(await pull(), "success");
    assertEquals(mirror.requests.filter(layerRequests).length, 1);
  });
});

Deno.test("RegistryClient: a blob that a mirror breaks off for ever goes on at the registry", async () => {
  await withMirror(async ({ origin, mirror, pull }) => {
    mirror.fault({ match: layerRequests, action: drop(1) });
    assertEquals(await pull(), "success");
    assertEquals(origin.requests.filter(layerRequests).at(-1)?.headers.get("range"), "bytes=64-");
  });
});

Deno.test("RegistryClient: a mirror's wrong layer gives way to the registry, with and without a store", async () => {
  const cache = await Deno.makeTempDir({ prefix: "cache-" });
  const temporary: string[] = [];
  const { files } = testWorld();
  const makeTempDirectory = async (): Promise<string> => {
    const path = await files.makeTempDirectory();
    temporary.push(path);
    return path;
  };
  try {
    for (const settings of [{}, { cache }]) {
      await withMirror(async ({ origin, mirror, pull }) => {
        const fault = mirror.fault({ match: layerRequests, action: corrupt(5) });
        assertEquals(await pull(), "success");
        assertEquals(mirror.requests.filter(layerRequests).length, 1);
        fault.remove();
        const before = origin.requests.length;
        assertEquals([await pull(), origin.requests.length], ["success", before]);
      }, { ...settings, world: { files: { ...files, makeTempDirectory } } });
    }
    // the first pull of each kind, and the second one without a store
    assertEquals(temporary.length, 2);
    for (const path of temporary) await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

/** Files of which those of a store cannot be written: nothing there, all beyond some bytes, or no name in the end. */
function filesWithout(store: string, failure: "no directory" | "no room" | "no name"): World["files"] {
  const { files } = testWorld();
  const fail = (path: string, when: typeof failure): Promise<void> =>
    path.startsWith(store) && failure === when ? Promise.reject(new Error(when)) : Promise.resolve();
  return {
    ...files,
    makeDirectory: (path) => fail(path, "no directory").then(() => files.makeDirectory(path)),
    rename: (from, to) => fail(to, "no name").then(() => files.rename(from, to)),
    async createPrivate(path) {
      const file = await files.createPrivate(path);
      let left = LAYER_SIZE / 2;
      return {
        ...file,
        write: (bytes) =>
          ((left -= bytes.length) < 0 ? fail(path, "no room") : Promise.resolve()).then(() =>
            file.write(bytes)
          ),
      };
    },
  };
}

Deno.test("RegistryClient: a cache that cannot take a mirror's layer does not send us to the registry", async () => {
  for (const failure of ["no directory", "no room", "no name"] as const) {
    const cache = await Deno.makeTempDir({ prefix: "cache-" });
    try {
      const files = filesWithout(cache, failure);
      await withMirror(async ({ origin, mirror, pull }) => {
        origin.fault({ match: always, action: answer(404) });
        assertEquals([await pull(), origin.requests.length], ["success", 0], failure);
        // begun for the cache, and once more for a temporary directory
        assertEquals(mirror.requests.filter(layerRequests).length, 2);
      }, { cache, world: { files } });
    } finally {
      await Deno.remove(cache, { recursive: true });
    }
  }
});

Deno.test("RegistryClient.openBlob: what a mirror sends is let go of when the stream is cancelled", async () => {
  await using mirror = await startRegistry();
  mirror.put(IMAGE, "iot/fw", "v1");
  const slow = mirror.fault({ match: layerRequests, action: stall(1000) });
  const mirrors = [{ registry: "registry.example", mirror: mirror.host }];
  const world = testWorld();
  using client = openTestRegistry({ mirrors }, world);
  const reader = client.openBlob(parseReference("registry.example/iot/fw:v1"), layerDescriptor(), {
    signal: NEVER,
  }).getReader();
  const read = reader.read();
  while (slow.hits === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await reader.cancel();
  assertEquals([(await read).done, world.lines.filter(({ level }) => level === "warn")], [true, []]);
});

Deno.test("RegistryClient: a mirror that falls silent with the first layer is not asked for the second", async () => {
  const layers = [1, 2].map((fill) => buildLayer(new Uint8Array(9000).fill(fill), { format: "oci" }));
  const isLayer = ({ path }: { readonly path: string }): boolean =>
    layers.some(({ descriptor }) => path.endsWith(descriptor.digest));
  await withMirror(async ({ origin, mirror, pull }) => {
    mirror.fault({ match: isLayer, action: stall() });
    assertEquals(await pull(), "success");
    assertEquals(mirror.requests.filter(isLayer).length, 1);
    assertEquals(origin.requests.filter(isLayer).length >= 2, true);
  }, { image: imageWith({ layers }), idleTimeout: 40_000 });
});

Deno.test("RegistryClient: an aborted pull ends at once with the signal's reason", async () => {
  await using registry = await startRegistry();
  const name = registry.put(IMAGE, "iot/fw", "v1");
  for (const match of [always, layerRequests]) {
    const fault = registry.fault({ match, action: stall(10) });
    using client = openTestRegistry({}, testWorld());
    const controller = new AbortController();
    const reason = new Error("the job is over");
    const pull = match === always
      ? client.resolveImage(parseReference(name), WANTED, { signal: controller.signal })
      : readBlob(
        client,
        name,
        { ...LAYER, annotations: {}, digest: parseDigestOf(LAYER.digest) },
        controller.signal,
      );
    setTimeout(() => controller.abort(reason), 50);
    assertEquals(await assertRejects(() => pull), reason);
    fault.remove();
  }
});

function parseDigestOf(text: string) {
  const { digest } = parseReference(`x.example/a@${text}`);
  assert(digest !== undefined);
  return digest;
}

const layerDescriptor = () => ({ ...LAYER, annotations: {}, digest: parseDigestOf(LAYER.digest) });

Deno.test("RegistryClient: a stalled body is noticed even after its answer has been garbage-collected", async () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  await using registry = await startRegistry();
  const name = registry.put(IMAGE, "iot/fw", "v1");
  registry.fault({ match: layerRequests, action: stall(1000), times: 1 });
  // at the tests' speed 0.6 s: the second answer must come within them while all this garbage is collected
  using client = openTestRegistry({ idleTimeout: 60_000 }, testWorld());
  const timer = setInterval(collect, 100);
  try {
    assertEquals((await readBlob(client, name, layerDescriptor())).length, LAYER_SIZE);
  } finally {
    clearInterval(timer);
  }
});

Deno.test("RegistryClient.openBlob: nothing is read ahead of the reader, and a cancelled stream lets go", async () => {
  await using registry = await startRegistry();
  const name = registry.put(IMAGE, "iot/fw", "v1");
  using client = openTestRegistry({}, testWorld());
  const stream = client.openBlob(parseReference(name), layerDescriptor(), { signal: NEVER });
  assertEquals(registry.requests.length, 0);
  const reader = stream.getReader();
  assert(((await reader.read()).value?.length ?? 0) > 0);
  await reader.cancel();
  assertEquals(registry.requests.length, 1);
});

Deno.test("RegistryClient.openBlob: a slow reader is no stall of the server", async () => {
  await using registry = await startRegistry();
  const name = registry.put(IMAGE, "iot/fw", "v1");
  using client = openTestRegistry({ idleTimeout: 40_000 }, testWorld());
  const reader = client.openBlob(parseReference(name), layerDescriptor(), { signal: NEVER }).getReader();
  await reader.read();
  // twice the idle time, at the tests' speed
  await new Promise((resolve) => setTimeout(resolve, 800));
  while (!(await reader.read()).done);
  assertEquals(registry.requests.length, 1);
});

Deno.test("RegistryClient.openBlob: progress is told up to the size", async () => {
  await using registry = await startRegistry();
  const name = registry.put(IMAGE, "iot/fw", "v1");
  registry.fault({ match: layerRequests, action: trickle(50_000, 1) });
  using client = openTestRegistry({}, testWorld());
  const told: number[] = [];
  const onProgress = (bytes: number): void => void told.push(bytes);
  await new Response(client.openBlob(parseReference(name), layerDescriptor(), { signal: NEVER, onProgress }))
    .bytes();
  assertEquals([told.toSorted((left, right) => left - right), told.at(-1)], [told, LAYER_SIZE]);
});

Deno.test("RegistryClient: a second pull with a cache asks only for the tag", async () => {
  await using registry = await startRegistry();
  const name = registry.put(IMAGE, "iot/fw", "v1");
  const cache = await Deno.makeTempDir({ prefix: "cache-" });
  try {
    using client = openTestRegistry({ cache }, testWorld());
    const first = await pullAll(client, name);
    const before = registry.requests.length;
    using again = openTestRegistry({ cache }, testWorld());
    assertEquals((await pullAll(again, name)).layers, first.layers);
    assertEquals(registry.requests.slice(before).map(({ path }) => path), ["/v2/iot/fw/manifests/v1"]);
    const others = await Promise.all([1, 2, 3].map(() => pullAll(again, name)));
    for (const other of others) assertEquals(other.layers, first.layers);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

const SUBJECT = IMAGE.descriptor.digest;

Deno.test("RegistryClient.listReferrers: pages on the same host, by type, and never on another host", async () => {
  await using registry = await startRegistry();
  await using elsewhere = await startRegistry();
  registry.put(IMAGE, "iot/fw", "v1");
  const note = buildArtifact({
    artifactType: "application/vnd.example.note",
    files: [],
    subject: IMAGE.descriptor,
  });
  registry.put(note, "iot/fw");
  using client = openTestRegistry({}, testWorld());
  const reference = parseReference(`${registry.host}/iot/fw@${SUBJECT}`);
  const isReferrers = ({ path }: { path: string }): boolean => path.includes("/referrers/");
  const list = () => client.listReferrers(reference, { signal: NEVER });

  const paged = registry.fault({
    match: isReferrers,
    action: setHeaders({ Link: `</v2/iot/fw/referrers/${SUBJECT}?page=2>; rel="next"` }),
    times: 1,
  });
  assertEquals((await list()).length, 2);
  paged.remove();

  const endless = registry.fault({ match: isReferrers, action: setHeaders({ Link: '<?n=1>; rel="next"' }) });
  assertEquals(await codeOf(list), "limit");
  endless.remove();

  const away = registry.fault({
    match: isReferrers,
    action: setHeaders({ Link: `<${elsewhere.origin}/x>; rel="next"` }),
  });
  assertEquals([await codeOf(list), elsewhere.connections], ["policy", 0]);
  away.remove();

  registry.fault({
    match: isReferrers,
    action: answer(200, {}, '{"schemaVersion":2,"layers":[],"config":{}}'),
  });
  assertEquals(await codeOf(list), "invalid-document");
  assertEquals(
    await codeOf(() => client.listReferrers(parseReference("h.example/a:1"), { signal: NEVER })),
    "bad-reference",
  );
});

Deno.test("RegistryClient: a listing of images or referrers that is too large together is left", async () => {
  await using registry = await startRegistry();
  const entries = ["a", "b", "c", "d", "e"].map((letter) =>
    imageWith({ annotations: { large: letter.repeat(DOCUMENT_LIMIT - 10_000) } })
  );
  const name = registry.put(buildIndex({ format: "oci", entries }), "iot/fw", "v1");
  using client = openTestRegistry({}, testWorld());
  const list = () => client.listPlatforms(parseReference(name), { signal: NEVER });
  assertEquals([await codeOf(list), registry.requests.length], ["limit", 1]);

  const page = JSON.stringify({ schemaVersion: 2, manifests: [] });
  registry.fault({
    match: ({ path }) => path.includes("/referrers/"),
    action: answer(200, { Link: '<?n=1>; rel="next"' }, page.padEnd(DOCUMENT_LIMIT)),
  });
  const reference = parseReference(`${registry.host}/iot/fw@${SUBJECT}`);
  const referrers = () => client.listReferrers(reference, { signal: NEVER });
  assertEquals([await codeOf(referrers), registry.requests.length], ["limit", 1 + 5]);
});

Deno.test("RegistryClient.listReferrers: the fallback tag where there is no API", async () => {
  await using registry = await startRegistry({ referrersApi: false });
  registry.put(IMAGE, "iot/fw", "v1");
  registry.put(
    buildArtifact({ artifactType: "application/vnd.example.note", files: [], subject: IMAGE.descriptor }),
    "iot/fw",
  );
  using client = openTestRegistry({}, testWorld());
  const reference = parseReference(`${registry.host}/iot/fw@${SUBJECT}`);
  assertEquals((await client.listReferrers(reference, { signal: NEVER })).length, 1);
});

Deno.test("RegistryClient.listReferrers: that a mirror has none does not hide those of the registry", async () => {
  const artifactType = "application/vnd.example.signature";
  const signature = buildArtifact({ artifactType, files: [], subject: IMAGE.descriptor });
  const other = buildArtifact({
    artifactType: "application/vnd.example.sbom",
    files: [],
    subject: IMAGE.descriptor,
  });
  for (const referrersApi of [true, false]) {
    await using registry = await startRegistry({ referrersApi });
    await using mirror = await startRegistry();
    for (const place of [registry, mirror]) place.put(IMAGE, "iot/fw", "v1");
    registry.put(signature, "iot/fw");
    const mirrors = [{ registry: registry.host, mirror: mirror.host }];
    const reference = parseReference(`${registry.host}/iot/fw@${SUBJECT}`);
    using client = openTestRegistry({ mirrors }, testWorld());
    const list = async (type?: string) =>
      (await client.listReferrers(reference, { signal: NEVER, ...(type ? { artifactType: type } : {}) }))
        .map(({ digest }) => digest);
    assertEquals(await list(), [signature.descriptor.digest]);
    // none of the wanted kind is none
    mirror.put(other, "iot/fw");
    assertEquals(await list(artifactType), [signature.descriptor.digest]);
    // what it has is its answer, and the registry is spared
    mirror.put(signature, "iot/fw");
    const before = registry.requests.length;
    assertEquals(await list(artifactType), [signature.descriptor.digest]);
    assertEquals(registry.requests.length, before);
  }
});

Deno.test("RegistryClient: a registry that is down is unreachable, and the message says where", async () => {
  const registry = await startRegistry();
  const name = registry.put(IMAGE, "iot/fw", "v1");
  await registry[Symbol.asyncDispose]();
  using client = openTestRegistry({}, testWorld());
  const error = await assertRejects(() => pullAll(client, name), RegistryError);
  assertEquals(error.code, "unreachable");
  assertStringIncludes(
    error.message,
    `'http://${registry.host}/v2/iot/fw/manifests/v1': nothing listens there`,
  );
});

Deno.test("RegistryClient: a port the runtime refuses is named as such", async () => {
  using client = openTestRegistry({}, testWorld());
  const error = await assertRejects(() => pullAll(client, "127.0.0.1:6000/a:1"), RegistryError);
  assertStringIncludes(error.message, "refuses requests to this port");
});
