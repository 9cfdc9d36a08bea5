import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { buildArtifact } from "../builders/oci_artifact.ts";
import { digestOf } from "../builders/oci_content.ts";
import { buildFirmwareImage, MEDIA_TYPES } from "../builders/oci_image.ts";
import { firstLayerOf } from "../builders/oci_spoil.ts";
import { startRegistry } from "./registry.ts";
import { startBlobHost } from "./registry_blob_host.ts";

const FIRMWARE = Uint8Array.from({ length: 5000 }, (_, index) => index % 253);
const IMAGE = buildFirmwareImage({
  format: "oci",
  platforms: [{ architecture: "esp32s3", firmware: FIRMWARE }],
});
const LAYER = firstLayerOf(IMAGE, "esp32s3");
const ACCEPT = {
  accept: Object.values(MEDIA_TYPES).map((types) => `${types.index}, ${types.manifest}`).join(", "),
};

/** Status, headers and bytes of an answer, read to its end. */
async function get(url: string, headers: Record<string, string> = {}, init: RequestInit = {}) {
  const response = await fetch(url, { redirect: "manual", headers, ...init });
  return { status: response.status, headers: response.headers, bytes: await response.bytes() };
}

function textOf({ bytes }: { bytes: Uint8Array }): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("startRegistry: a manifest is served by tag and digest, with type and digest", async () => {
  await using registry = await startRegistry();
  assertEquals(registry.put(IMAGE, "team/app", "v1"), `${registry.host}/team/app:v1`);
  for (const reference of ["v1", IMAGE.descriptor.digest]) {
    const answer = await get(`http://${registry.host}/v2/team/app/manifests/${reference}`, ACCEPT);
    assertEquals([answer.status, digestOf(answer.bytes)], [200, IMAGE.descriptor.digest]);
    assertEquals(answer.headers.get("content-type"), MEDIA_TYPES.oci.index);
    assertEquals(answer.headers.get("docker-content-digest"), IMAGE.descriptor.digest);
  }
  assertEquals(registry.requests.map((one) => [one.method, one.path, one.status, one.ending]), [
    ["GET", "/v2/team/app/manifests/v1", 200, "complete"],
    ["GET", `/v2/team/app/manifests/${IMAGE.descriptor.digest}`, 200, "complete"],
  ]);
  assertEquals(registry.requests[0]?.bodyBytesSent, IMAGE.descriptor.size);
});

Deno.test("startRegistry: a type missing from Accept is MANIFEST_UNKNOWN", async () => {
  await using registry = await startRegistry();
  registry.put(IMAGE, "app", "v1");
  const answer = await get(`http://${registry.host}/v2/app/manifests/v1`, {
    accept: MEDIA_TYPES.docker.index,
  });
  assertEquals(answer.status, 404);
  assertEquals(JSON.parse(textOf(answer)).errors[0].code, "MANIFEST_UNKNOWN");
});

Deno.test("startRegistry: what is not there is named in the error body", async () => {
  await using registry = await startRegistry();
  registry.put(IMAGE, "app", "v1");
  const codeOf = async (path: string) =>
    JSON.parse(textOf(await get(`http://${registry.host}/v2/${path}`, ACCEPT))).errors[0].code;
  assertEquals(await codeOf("other/manifests/v1"), "NAME_UNKNOWN");
  assertEquals(await codeOf("app/manifests/v2"), "MANIFEST_UNKNOWN");
  assertEquals(await codeOf(`app/blobs/${digestOf(FIRMWARE)}`), "BLOB_UNKNOWN");
});

Deno.test("startRegistry: ranges of a blob", async () => {
  await using registry = await startRegistry();
  registry.put(IMAGE, "app", "v1");
  const url = `http://${registry.host}/v2/app/blobs/${LAYER.digest}`;
  const last = LAYER.size - 1;
  const table: readonly (readonly [string, number, string | null, number])[] = [
    ["bytes=0-", 206, `bytes 0-${last}/${LAYER.size}`, LAYER.size],
    ["bytes=10-19", 206, `bytes 10-19/${LAYER.size}`, 10],
    ["bytes=10-99999", 206, `bytes 10-${last}/${LAYER.size}`, LAYER.size - 10],
    ["bytes=-5", 206, `bytes ${last - 4}-${last}/${LAYER.size}`, 5],
    [`bytes=${LAYER.size}-`, 416, `bytes */${LAYER.size}`, 0],
    ["bytes=oops", 416, `bytes */${LAYER.size}`, 0],
  ];
  for (const [range, status, contentRange, length] of table) {
    const answer = await get(url, { range });
    assertEquals(
      [range, answer.status, answer.headers.get("content-range"), answer.bytes.length],
      [range, status, contentRange, length],
    );
  }
  assertEquals((await get(url)).status, 200);
});

Deno.test("startRegistry: HEAD tells the length and sends no body", async () => {
  await using registry = await startRegistry();
  registry.put(IMAGE, "app", "v1");
  const answer = await get(`http://${registry.host}/v2/app/manifests/v1`, ACCEPT, { method: "HEAD" });
  assertEquals([answer.status, answer.headers.get("content-length")], [200, String(IMAGE.descriptor.size)]);
  assertEquals(registry.requests[0]?.bodyBytesSent, 0);
});

Deno.test("startRegistry: basic access is challenged, refused and granted", async () => {
  await using registry = await startRegistry({ auth: { kind: "basic", user: "robot", password: "s3:cret" } });
  registry.put(IMAGE, "app", "v1");
  const url = `http://${registry.host}/v2/app/manifests/v1`;
  const refused = await get(url, ACCEPT);
  assertEquals([refused.status, refused.headers.get("www-authenticate")], [
    401,
    'Basic realm="Lab registry"',
  ]);
  assertEquals((await get(url, { ...ACCEPT, authorization: `Basic ${btoa("robot:wrong")}` })).status, 401);
  assertEquals((await get(url, { ...ACCEPT, authorization: `Basic ${btoa("robot:s3:cret")}` })).status, 200);
});

Deno.test("startRegistry: token access leads through the token server on its own origin", async () => {
  await using registry = await startRegistry({
    auth: { kind: "token", tokens: { users: { robot: "secret" } } },
  });
  registry.put(IMAGE, "team/app", "v1");
  const url = `http://${registry.host}/v2/team/app/manifests/v1`;
  const refused = await get(url, ACCEPT);
  const challenge = refused.headers.get("www-authenticate") ?? "";
  assertEquals(
    challenge,
    `Bearer realm="${registry.tokenServer?.realm}",service="lab-registry",scope="repository:team/app:pull"`,
  );
  const tokenUrl = `${registry.tokenServer?.realm}?service=lab-registry&scope=repository:team/app:pull`;
  const basic = { authorization: `Basic ${btoa("robot:secret")}` };
  const { token } = JSON.parse(textOf(await get(tokenUrl, basic)));
  assertEquals((await get(url, { ...ACCEPT, authorization: `Bearer ${token}` })).status, 200);
  assertEquals(registry.issuer?.issued.map((one) => [one.user, one.via]), [["robot", "GET"]]);

  const other = await get(url.replace("team/app", "other"), { authorization: `Bearer ${token}` });
  assertStringIncludes(other.headers.get("www-authenticate") ?? "", 'error="insufficient_scope"');
  registry.issuer?.revoke(token);
  const revoked = await get(url, { authorization: `Bearer ${token}` });
  assertStringIncludes(revoked.headers.get("www-authenticate") ?? "", 'error="invalid_token"');
});

Deno.test("startRegistry: token access on the registry's own origin", async () => {
  await using registry = await startRegistry({ auth: { kind: "token", place: "own-origin" } });
  registry.put(IMAGE, "app", "v1");
  const { token } = JSON.parse(textOf(await get(`http://${registry.host}/token?scope=repository:app:pull`)));
  const url = `http://${registry.host}/v2/app/manifests/v1`;
  assertEquals((await get(url, { ...ACCEPT, authorization: `Bearer ${token}` })).status, 200);
});

Deno.test("startRegistry: blobs on another origin, which sees what headers came along", async () => {
  await using blobHost = await startBlobHost({ refusesAuthorization: true });
  await using registry = await startRegistry({ blobHost });
  registry.put(IMAGE, "app", "v1");
  const answer = await get(`http://${registry.host}/v2/app/blobs/${LAYER.digest}`);
  assertEquals(answer.status, 307);
  const location = answer.headers.get("location") ?? "";
  assertMatch(location, /X-Signature=/);
  assertEquals(digestOf((await get(location)).bytes), LAYER.digest);
  assertEquals((await get(location, { authorization: "Bearer leaked" })).status, 400);
  assertEquals(blobHost.requests.map((one) => one.headers.get("authorization")), [null, "Bearer leaked"]);
});

Deno.test("startRegistry: referrers by the API, and by the fallback tag where it is off", async () => {
  const signature = buildArtifact({
    artifactType: "application/vnd.example.signature",
    files: [{ bytes: new Uint8Array([1]) }],
    subject: IMAGE.descriptor,
  });
  for (const referrersApi of [true, false]) {
    await using registry = await startRegistry({ referrersApi });
    registry.put(IMAGE, "app", "v1");
    registry.put(signature, "app");
    const api = `http://${registry.host}/v2/app/referrers/${IMAGE.descriptor.digest}`;
    const tag = `http://${registry.host}/v2/app/manifests/${IMAGE.descriptor.digest.replace(":", "-")}`;
    const answer = await get(referrersApi ? api : tag, ACCEPT);
    assertEquals(JSON.parse(textOf(answer)).manifests, [signature.descriptor]);
    assertEquals((await get(referrersApi ? tag : api, ACCEPT)).status, 404);
    if (!referrersApi) continue;
    const filtered = await get(`${api}?artifactType=other`);
    assertEquals(JSON.parse(textOf(filtered)).manifests, []);
    assertEquals(filtered.headers.get("oci-filters-applied"), "artifactType");
  }
});

Deno.test("startRegistry: tags come in pages", async () => {
  await using registry = await startRegistry();
  for (const tag of ["c", "a", "b"]) registry.put(IMAGE, "app", tag);
  const first = await get(`http://${registry.host}/v2/app/tags/list?n=2`);
  assertEquals(JSON.parse(textOf(first)).tags, ["a", "b"]);
  assertEquals(first.headers.get("link"), '</v2/app/tags/list?n=2&last=b>; rel="next"');
});

Deno.test("startRegistry: an image pushed over HTTP is served again", async () => {
  await using registry = await startRegistry();
  const begun = await get(`http://${registry.host}/v2/app/blobs/uploads/`, {}, { method: "POST" });
  assertEquals(begun.status, 202);
  const upload = `http://${registry.host}${begun.headers.get("location")}`;
  assertEquals((await get(upload, {}, { method: "PATCH", body: FIRMWARE.slice(0, 10) })).status, 202);
  const end = `${upload}?digest=${digestOf(FIRMWARE)}`;
  assertEquals((await get(end, {}, { method: "PUT", body: FIRMWARE.slice(10) })).status, 201);
  assertEquals((await get(`http://${registry.host}/v2/app/blobs/${digestOf(FIRMWARE)}`)).bytes, FIRMWARE);
  assert(registry.connectionErrors.length === 0);
});
