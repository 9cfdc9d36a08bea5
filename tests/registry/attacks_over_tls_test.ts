import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { parseReference } from "../../src/registry/reference.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import type { RegistrySettings } from "../../src/registry/registry_settings.ts";
import { serverPair } from "../builders/certificates.ts";
import { buildLayer } from "../builders/oci_layer.ts";
import { type LabRegistry, type RegistryOptions, startRegistry } from "../lab/registry.ts";
import { type BlobHost, startBlobHost } from "../lab/registry_blob_host.ts";
import { answer, redirect } from "../lab/registry_fault.ts";
import { imageWith, layerRequests, ROBOT } from "./attack_bench.ts";
import { type NamedWorld, namedWorld } from "./named_world.ts";
import { codeOf, NEVER, openTestRegistry, pullAll, testWorld, WANTED } from "./registry_rig.ts";

const HOSTS = ["registry.example", "cdn.example", "registry-1.docker.io"];
const IMAGE = imageWith({});
const BASIC: RegistryOptions = { auth: { kind: "basic", user: ROBOT.username, password: ROBOT.password } };

interface Stage {
  readonly registry: LabRegistry;
  /** `cdn.example`. */
  readonly cdn: BlobHost;
  readonly world: NamedWorld;
  /** Holds `ca.pem`, `client.pem` and `client.key`. */
  readonly directory: string;
  /** Pulls `registry.example/iot/fw:v1`; the authority is trusted unless the settings say otherwise. */
  pull(settings?: Partial<RegistrySettings>): Promise<string>;
}

/** A registry and a blob host with public names and good certificates. */
async function onStage(
  options: RegistryOptions & {
    readonly clientCa?: boolean;
    readonly plain?: boolean;
    readonly image?: typeof IMAGE;
  },
  use: (stage: Stage) => Promise<void>,
): Promise<void> {
  const server = await serverPair({ issued: true, commonName: "registry.example", alternativeNames: HOSTS });
  const client = await serverPair({ issued: true, commonName: "a device farm" });
  const tls = { certificate: server.certificate, key: server.key };
  const demanded = options.clientCa ? { ...tls, clientCa: client.pinned } : tls;
  await using cdn = await startBlobHost({ tls });
  await using registry = await startRegistry({ ...options, ...(options.plain ? {} : { tls: demanded }) });
  registry.put(options.image ?? IMAGE, "iot/fw", "v1");
  const directory = await Deno.makeTempDir({ prefix: "stage-" });
  await using world = namedWorld({ "registry.example": registry.host, "cdn.example": cdn.host });
  try {
    await Deno.writeTextFile(`${directory}/ca.pem`, server.pinned);
    await Deno.writeTextFile(`${directory}/client.pem`, client.certificate);
    await Deno.writeTextFile(`${directory}/client.key`, client.key);
    await use({
      registry,
      cdn,
      world,
      directory,
      pull: async (settings) => {
        using opened = openTestRegistry({ caFile: `${directory}/ca.pem`, ...settings }, world);
        return await codeOf(() => pullAll(opened, "registry.example/iot/fw:v1"));
      },
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const identity = (directory: string, registry = "registry.example") => ({
  clientIdentity: {
    registry,
    certificateFile: `${directory}/client.pem`,
    keyFile: `${directory}/client.key`,
  },
});

Deno.test("RegistryClient: --ca-file makes a private authority good", async () => {
  await onStage({}, async ({ pull }) => assertEquals(await pull(), "success"));
});

Deno.test("RegistryClient: an unknown authority is an error that names --ca-file, and is asked once", async () => {
  await onStage({}, async ({ registry, world }) => {
    using client = openTestRegistry({}, world);
    const error = await assertRejects(() => pullAll(client, "registry.example/iot/fw:v1"), RegistryError);
    assertEquals([error.code, world.knocks.length, registry.requests.length], ["unreachable", 1, 0]);
    assertStringIncludes(error.message, "--ca-file");
  });
});

Deno.test("RegistryClient: a certificate for another name is refused", async () => {
  await onStage({}, async ({ registry, directory }) => {
    await using world = namedWorld({ "other.example": registry.host });
    using client = openTestRegistry({ caFile: `${directory}/ca.pem` }, world);
    assertEquals(await codeOf(() => pullAll(client, "other.example/iot/fw:v1")), "unreachable");
    assertEquals(registry.requests.length, 0);
  });
});

Deno.test("RegistryClient: a public registry without TLS is never spoken to in the clear, unless it is named", async () => {
  await onStage({ plain: true }, async ({ registry, pull }) => {
    assertEquals(await pull(), "unreachable");
    assertEquals(registry.requests.length, 0);
    assertEquals(await pull({ plainHttp: ["other.example"] }), "unreachable");
    assertEquals(await pull({ plainHttp: ["registry.example:8080"] }), "unreachable");
    assertEquals(registry.requests.length, 0);
    assertEquals(await pull({ plainHttp: ["registry.example"] }), "success");
  });
});

Deno.test("RegistryClient: a registry or mirror on loopback is spoken to over TLS where 'https://' says so", async () => {
  const pair = await serverPair({ issued: true, commonName: "localhost", alternativeNames: ["localhost"] });
  await using registry = await startRegistry({ tls: { certificate: pair.certificate, key: pair.key } });
  registry.put(IMAGE, "iot/fw", "v1");
  const host = registry.host.replace("127.0.0.1", "localhost");
  const caFile = await Deno.makeTempFile({ suffix: ".pem" });
  try {
    await Deno.writeTextFile(caFile, pair.pinned);
    using client = openTestRegistry({ caFile, plainHttp: [host] }, testWorld());
    assertEquals(await codeOf(() => pullAll(client, `https://${host}/iot/fw:v1`)), "success");
    // nothing of the same run speaks to it in the clear: signatures are asked for by references made of parts
    assertEquals(await codeOf(() => pullAll(client, `${host}/iot/fw@${IMAGE.descriptor.digest}`)), "success");
    const mirrors = [{ registry: "registry.example", mirror: `https://${host}` }];
    using mirrored = openTestRegistry({ caFile, mirrors }, testWorld());
    assertEquals(await codeOf(() => pullAll(mirrored, "registry.example/iot/fw:v1")), "success");
  } finally {
    await Deno.remove(caFile);
  }
});

Deno.test("RegistryClient: the client certificate is shown to its registry", async () => {
  await onStage({ clientCa: true }, async ({ registry, directory, pull }) => {
    assertEquals(await pull(), "unreachable");
    assertEquals(await pull(identity(directory, "other.example")), "unreachable");
    assertEquals(registry.requests.length, 0);
    assertEquals(await pull(identity(directory)), "success");
    assertEquals(
      new Set(registry.requests.map((request) => request.clientCertificate)),
      new Set(["a device farm"]),
    );
  });
});

Deno.test("RegistryClient: the client certificate for Docker Hub is shown where its API is", async () => {
  await onStage({ clientCa: true }, async ({ registry, directory }) => {
    await using world = namedWorld({ "registry-1.docker.io": registry.host });
    for (const name of ["docker.io", "index.docker.io"]) {
      const settings = { caFile: `${directory}/ca.pem`, ...identity(directory, name) };
      using client = openTestRegistry(settings, world);
      assertEquals(await codeOf(() => pullAll(client, "docker.io/iot/fw:v1")), "success");
    }
  });
});

Deno.test("RegistryClient: the client certificate is not shown where the registry redirects to", async () => {
  const client = await serverPair({ issued: true, commonName: "a device farm" });
  const server = await serverPair({ issued: true, commonName: "registry.example", alternativeNames: HOSTS });
  await using collector = await startRegistry({
    tls: { certificate: server.certificate, key: server.key, clientCa: client.pinned },
  });
  await onStage({ clientCa: true }, async ({ registry, directory, world }) => {
    registry.fault({ match: layerRequests, action: redirect("https://collector.example/layer") });
    const names = { "registry.example": registry.host, "collector.example": collector.host };
    await using opened = namedWorld(names);
    using pulling = openTestRegistry({ caFile: `${directory}/ca.pem`, ...identity(directory) }, opened);
    assertEquals(await codeOf(() => pullAll(pulling, "registry.example/iot/fw:v1")), "unreachable");
    // it demands a certificate, and got none
    assertEquals([collector.requests.length, world.knocks.length], [0, 0]);
    assertEquals(opened.knocks.includes("collector.example"), true);
  });
});

Deno.test("RegistryClient: whoever sends us back to the registry does not get our client certificate used", async () => {
  const layer = buildLayer(new Uint8Array(50), {
    format: "oci",
    mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar",
    descriptor: { urls: ["https://registry.example/internal"] },
  });
  await onStage({ clientCa: true, image: imageWith({ layers: [layer] }) }, async (stage) => {
    const { registry, cdn, directory, pull } = stage;
    const isLayer = ({ path }: { readonly path: string }): boolean => path.endsWith(layer.descriptor.digest);
    const bounced = registry.fault({ match: isLayer, action: redirect("https://cdn.example/bounce") });
    cdn.fault({ match: () => true, action: redirect("https://registry.example/internal") });
    assertEquals(await pull(identity(directory)), "unreachable");
    bounced.remove();
    registry.repository("iot/fw").blobs.delete(layer.descriptor.digest);
    assertEquals(await pull(identity(directory)), "unreachable");
    // it demands a certificate, and got none for what the image or the other host named
    assertEquals(registry.requests.filter(({ path }) => path === "/internal"), []);
    assertEquals(cdn.requests.length > 0, true);
  });
});

Deno.test("RegistryClient: a certificate file that is missing is named", async () => {
  await onStage({}, async ({ pull }) => {
    assertEquals(await pull({ caFile: "/nowhere/ca.pem" }), "bad-credentials-file");
  });
});

/** What a hostile public registry may try with a redirect or a realm: the code, and that nobody else was asked. */
const LURES: readonly (readonly [string, string])[] = [
  ["plain http at the same host", "http://registry.example/x"],
  ["plain http elsewhere", "http://cdn.example/x"],
  ["loopback", "https://127.0.0.1/x"],
  ["loopback by name", "https://localhost/x"],
  ["loopback in hexadecimal", "https://0x7f000001/x"],
  ["loopback in IPv6", "https://[::1]/x"],
  ["a private network", "https://10.1.2.3/x"],
  ["a name of the cluster", "https://kubernetes.default.svc/x"],
  ["the cloud's metadata", "https://169.254.169.254/x"],
];

for (const [what, url] of LURES) {
  Deno.test(`RegistryClient: a public registry may not redirect to ${what}`, async () => {
    await onStage(BASIC, async ({ registry, world, pull }) => {
      registry.fault({ match: layerRequests, action: redirect(url) });
      assertEquals(await pull({ credentials: ROBOT }), "policy");
      assertEquals(new Set(world.knocks), new Set(["registry.example"]));
    });
  });

  Deno.test(`RegistryClient: a public registry may not name a realm at ${what}`, async () => {
    await onStage({}, async ({ registry, world, pull }) => {
      registry.fault({
        match: () => true,
        action: answer(401, { "WWW-Authenticate": `Bearer realm="${url}"` }),
      });
      assertEquals(await pull({ credentials: ROBOT }), "policy");
      assertEquals(world.knocks, ["registry.example"]);
    });
  });
}

/** What a name of theirs may resolve to; the registry's own does to a public address. */
const INWARD_ADDRESSES = ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "64:ff9b::a9fe:a9fe"];
const NAMED = "https://inward.example/x";

Deno.test("RegistryClient: a public registry may not lead to a name at an inward address, in any way", async () => {
  const layer = buildLayer(new Uint8Array(50), {
    format: "oci",
    mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar",
    descriptor: { urls: [NAMED] },
  });
  const isLayer = ({ path }: { readonly path: string }): boolean => path.endsWith(layer.descriptor.digest);
  await onStage({ ...BASIC, image: imageWith({ layers: [layer] }) }, async ({ registry, directory }) => {
    const names = { "registry.example": registry.host, "inward.example": registry.host };
    const outcomes = async (): Promise<string[]> => {
      const found: string[] = [];
      for (const address of INWARD_ADDRESSES) {
        await using world = namedWorld(names, { "inward.example": ["203.0.113.9", address] });
        using client = openTestRegistry({ caFile: `${directory}/ca.pem`, credentials: ROBOT }, world);
        found.push(await codeOf(() => pullAll(client, "registry.example/iot/fw:v1")));
        assertEquals(new Set(world.knocks), new Set(["registry.example"]));
      }
      return found;
    };
    const refusals = INWARD_ADDRESSES.map(() => "policy");

    const redirected = registry.fault({ match: isLayer, action: redirect(NAMED) });
    assertEquals(await outcomes(), refusals);
    redirected.remove();
    const challenge = { "WWW-Authenticate": `Bearer realm="${NAMED}"` };
    const challenged = registry.fault({ match: () => true, action: answer(401, challenge) });
    assertEquals(await outcomes(), refusals);
    challenged.remove();
    registry.repository("iot/fw").blobs.delete(layer.descriptor.digest);
    assertEquals(await outcomes(), refusals);
  });
});

Deno.test("RegistryClient: names within one network, and names that a proxy resolves, are followed", async () => {
  await onStage({}, async ({ registry, cdn, directory }) => {
    cdn.blobs.set("layer", imageWith({}).blobs.at(-1)?.bytes ?? new Uint8Array());
    registry.fault({ match: layerRequests, action: redirect("https://cdn.example/blobs/layer") });
    const names = { "registry.example": registry.host, "cdn.example": cdn.host };
    const inward = { "cdn.example": ["10.0.0.5"] };
    const cases = [
      [{}, inward, "policy"],
      [{}, { ...inward, "registry.example": ["10.0.0.4"] }, "success"],
      [{ HTTPS_PROXY: "http://proxy.example" }, inward, "success"],
      [{ HTTPS_PROXY: "http://proxy.example", NO_PROXY: "cdn.example" }, inward, "policy"],
      [{}, { "cdn.example": [] }, "unreachable"],
    ] as const;
    for (const [environment, addresses, expected] of cases) {
      await using world = namedWorld(names, addresses);
      using client = openTestRegistry({ environment, caFile: `${directory}/ca.pem` }, world);
      assertEquals(await codeOf(() => pullAll(client, "registry.example/iot/fw:v1")), expected);
    }
  });
});

Deno.test("RegistryClient: a foreign layer comes from its place without credentials or certificate", async () => {
  const bytes = new Uint8Array(5000).fill(7);
  const layer = buildLayer(bytes, {
    format: "docker",
    mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar",
    descriptor: {
      urls: ["http://cdn.example/plain", "https://127.0.0.1/x", "https://cdn.example/blobs/foreign"],
    },
  });
  await onStage(
    { ...BASIC, image: imageWith({ layers: [layer] }) },
    async ({ registry, cdn, world, directory }) => {
      registry.repository("iot/fw").blobs.delete(layer.descriptor.digest);
      cdn.blobs.set("foreign", bytes);
      using client = openTestRegistry(
        { caFile: `${directory}/ca.pem`, credentials: ROBOT, ...identity(directory) },
        world,
      );
      assertEquals((await pullAll(client, "registry.example/iot/fw:v1")).layers, [bytes]);
      assertEquals(cdn.requests.map(({ headers, path }) => [path, headers.get("authorization")]), [[
        "/blobs/foreign",
        null,
      ]]);
      assertEquals(world.knocks.includes("127.0.0.1"), false);
    },
  );
});

Deno.test("RegistryClient: a foreign layer's place that asks for a password gets none", async () => {
  const layer = buildLayer(new Uint8Array(50), {
    format: "oci",
    mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar",
    descriptor: { urls: ["https://cdn.example/blobs/foreign"] },
  });
  await onStage({ ...BASIC, image: imageWith({ layers: [layer] }) }, async ({ registry, cdn, pull }) => {
    registry.repository("iot/fw").blobs.delete(layer.descriptor.digest);
    cdn.fault({ match: () => true, action: answer(401, { "WWW-Authenticate": 'Basic realm="give me"' }) });
    assertEquals(await pull({ credentials: ROBOT }), "auth-refused");
    assertEquals(cdn.requests.map(({ headers }) => headers.get("authorization")), [null]);
  });
});

Deno.test("RegistryClient: a name that leads nowhere is unreachable after five tries", async () => {
  await using world = namedWorld({});
  using client = openTestRegistry({}, world);
  const reference = parseReference("nowhere.example/a:1");
  assertEquals(await codeOf(() => client.resolveImage(reference, WANTED, { signal: NEVER })), "unreachable");
  assertEquals(world.knocks.length, 5);
});

Deno.test("RegistryClient: the proxies of the environment are honoured, for registries only", async () => {
  await onStage({}, async ({ world, directory }) => {
    const opened: unknown[] = [];
    const openHttp: NamedWorld["openHttp"] = (options) => {
      opened.push(options.proxy);
      return world.openHttp(options);
    };
    using client = openTestRegistry({ caFile: `${directory}/ca.pem` }, { ...world, openHttp });
    await pullAll(client, "registry.example/iot/fw:v1");
    assertEquals(opened, ["environment"]);
  });
});
