import { assert, assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { parseAll } from "@std/yaml";
import { fileURLToPath } from "node:url";
import { type IPod, Pod } from "kubernetes-models/v1";
import { WRITABLE } from "../../deploy/permissions.ts";
import { FLASH_OPTIONS } from "../../src/job/job_options.ts";

const DIRECTORY = fileURLToPath(new URL("../../deploy/kubernetes/", import.meta.url));
const CONFIGURATION = fileURLToPath(new URL("../../deno.json", import.meta.url));
const CONTAINERFILE = fileURLToPath(new URL("../../Containerfile", import.meta.url));

/** Variables that no row of the table has: they are read together with others, or by their customary names. */
const OTHER_VARIABLES =
  /^(UUID|APPLICATION_TYPE|HOST|HOST_ENDPOINT_\w+|DICE_AUTH_SERVICE_SERVICE_(HOST|PORT)|DOCKER_CONFIG|(HTTPS?|NO)_PROXY)$/;

const HEAD = { apiVersion: "v1", kind: "Pod", metadata: { name: "flashjob" } };

/** A manifest as it was read, and the pod that it makes. */
interface PodManifest {
  readonly file: string;
  readonly pod: Pod;
}

/** Every manifest is one that the API accepts; a kind that this function does not know is not checked, so it is an error. */
function podOf(file: string, document: unknown): Pod {
  const manifest = document as IPod;
  assertEquals([manifest.apiVersion, manifest.kind], ["v1", "Pod"], file);
  const pod = new Pod(manifest);
  pod.validate();
  return pod;
}

async function readManifests(): Promise<PodManifest[]> {
  const manifests: PodManifest[] = [];
  for await (const { name } of Deno.readDir(DIRECTORY)) {
    assert(name.endsWith(".yaml"), `${name} is no manifest`);
    const documents = parseAll(await Deno.readTextFile(`${DIRECTORY}${name}`));
    manifests.push(...documents.map((document) => ({ file: name, pod: podOf(name, document) })));
  }
  assert(manifests.length > 0);
  return manifests;
}

const manifests = await readManifests();

function containersOf({ pod }: PodManifest) {
  const { spec } = pod;
  assert(spec !== undefined);
  return [...spec.initContainers ?? [], ...spec.containers];
}

/** The schemas let unknown keys pass; the compiler does not, in a literal. Resolves to what it complains of. */
async function typeErrors(manifest: unknown): Promise<string> {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/manifest.ts`;
    const literal = JSON.stringify(manifest, null, 2);
    await Deno.writeTextFile(
      file,
      `import type { IPod } from "kubernetes-models/v1";\nexport const manifest: IPod = ${literal};\n`,
    );
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", "--config", CONFIGURATION, file],
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    return success ? "" : new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("deploy/kubernetes: no key is misspelt", async () => {
  const spec = { containers: [{ name: "flashjob", image: "flashjob:1.0.0", imagePolicy: "Always" }] };
  const [misspelt, ...found] = await Promise.all([
    typeErrors({ ...HEAD, spec }),
    ...manifests.map(({ pod }) => typeErrors(pod.toJSON())),
  ]);
  assertMatch(misspelt, /imagePolicy"' does not exist/);
  assertEquals(found, found.map(() => ""));
});

Deno.test("deploy/kubernetes: what the schema of the API refuses, is refused", () => {
  assertThrows(() => podOf("empty", { ...HEAD, spec: {} }));
  assertThrows(() => podOf("wrong type", { ...HEAD, spec: { containers: [{ name: 1 }] } }));
  assertThrows(() => podOf("another kind", { ...HEAD, kind: "Jobb", spec: {} }));
});

for (const manifest of manifests) {
  const { file, pod: { spec } } = manifest;

  Deno.test(`${file}: runs once, unprivileged, without the cluster's credentials`, () => {
    assertStrictEquals(spec?.restartPolicy, "Never");
    assertStrictEquals(spec.automountServiceAccountToken, false);
    assertStrictEquals(spec.enableServiceLinks, false);
    assertEquals(spec.securityContext?.runAsNonRoot, true);
    assertEquals([spec.securityContext?.runAsUser, spec.securityContext?.runAsGroup], [65532, 65532]);
    assertEquals(spec.securityContext?.seccompProfile?.type, "RuntimeDefault");
    assertEquals([spec.hostNetwork, spec.hostPID, spec.hostIPC], [undefined, undefined, undefined]);
    for (const container of containersOf(manifest)) {
      assertEquals(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
      // The image knows its program.
      assertEquals([container.command, container.args], [undefined, undefined]);
    }
  });

  Deno.test(`${file}: asks for and is held to memory, and pins a version of the image`, () => {
    for (const container of containersOf(manifest)) {
      assert(container.resources?.requests?.["cpu"] !== undefined);
      assert(container.resources.requests["memory"] !== undefined);
      assert(container.resources.limits?.["memory"] !== undefined);
      assert(/(:\d+\.\d+\.\d+|@sha256:[0-9a-f]{64})$/.test(container.image ?? ""), container.image);
    }
  });

  Deno.test(`${file}: every variable is one that the program reads, and none holds a secret`, () => {
    const known = new Set(FLASH_OPTIONS.flatMap((option) => option.variables ?? []));
    for (const container of containersOf(manifest)) {
      for (const { name, value } of container.env ?? []) {
        assert(known.has(name) || OTHER_VARIABLES.test(name), name);
        assert(!(/PASSWORD|SECRET|TOKEN/.test(name) && value !== undefined), name);
      }
    }
  });

  Deno.test(`${file}: the agent's key pair comes from a TLS secret, under the names that the program reads`, () => {
    const secret = spec?.volumes?.find((volume) => volume.name === "certs")?.secret;
    assertEquals(secret?.items, [
      { key: "tls.crt", path: "server.crt" },
      { key: "tls.key", path: "server.key" },
    ]);
    const fallback = (name: string) => FLASH_OPTIONS.find((option) => option.name === name)?.fallback;
    const [container] = containersOf(manifest);
    const mount = container?.volumeMounts?.find(({ name }) => name === "certs");
    assertEquals(mount, { name: "certs", mountPath: "/ota/certs", readOnly: true });
    assertEquals(fallback("server-crt"), "/ota/certs/server.crt");
    assertEquals(fallback("server-key"), "/ota/certs/server.key");
  });

  Deno.test(`${file}: what is mounted to be written to, is writable to the program, and nothing else is`, () => {
    for (const container of containersOf(manifest)) {
      const writable = (container.volumeMounts ?? []).filter(({ readOnly }) => readOnly !== true);
      assertEquals(writable.map(({ mountPath }) => mountPath).filter((path) => !WRITABLE.includes(path)), []);
      assert(writable.some(({ mountPath }) => mountPath === "/tmp"));
    }
  });

  Deno.test(`${file}: the termination message is where the image writes it`, async () => {
    const containerfile = await Deno.readTextFile(CONTAINERFILE);
    const path = /^ENV TERMINATION_LOG=(\S+)$/m.exec(containerfile)?.[1];
    assert(path !== undefined);
    for (const container of containersOf(manifest)) {
      const variable = container.env?.find(({ name }) => name === "TERMINATION_LOG")?.value;
      assertEquals(container.terminationMessagePath, variable ?? path);
      assertEquals(container.terminationMessagePolicy, "FallbackToLogsOnError");
    }
    assert(WRITABLE.some((directory) => path.startsWith(`${directory}/`)));
  });

  Deno.test(`${file}: the port the device dials is open under the address it is told`, () => {
    const [container] = containersOf(manifest);
    const port = Number(FLASH_OPTIONS.find((option) => option.name === "agent-port")?.fallback);
    const ota = container?.ports?.find(({ containerPort }) => containerPort === port);
    assertEquals([ota?.hostPort, ota?.protocol], [port, "TCP"]);
    const address = container?.env?.find(({ name }) => name === "EXTERNAL_IP");
    assertEquals(address?.valueFrom?.fieldRef?.fieldPath, "status.hostIP");
  });
}
