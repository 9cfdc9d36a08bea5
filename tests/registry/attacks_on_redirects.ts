import { assert, assertEquals } from "@std/assert";
import { buildLayer } from "../builders/oci_layer.ts";
import { answer, drop, manifestRequests, redirect } from "../lab/registry_fault.ts";
import type { RegistryOptions } from "../lab/registry.ts";
import {
  type AttackCase,
  type Bench,
  imageWith,
  layerRequestCount,
  layerRequests,
  requestsOf,
  ROBOT,
} from "./attack_bench.ts";

const CREDENTIALS = { credentials: ROBOT };
const BASIC: RegistryOptions = { auth: { kind: "basic", user: ROBOT.username, password: ROBOT.password } };
const TOKENS: RegistryOptions = {
  auth: { kind: "token", tokens: { users: { [ROBOT.username]: ROBOT.password } } },
};

/** Nothing that proves us has arrived at the other origin. */
function elsewhereSawNothing({ elsewhere }: Bench): void {
  const proofs = elsewhere.requests.filter(({ headers }) =>
    headers.has("authorization") || headers.has("cookie")
  );
  assertEquals(proofs, []);
}

/** A refused redirect: no second request was sent anywhere. */
function refused(name: string, location: string | ((bench: Bench) => string)): AttackCase {
  return {
    name,
    registry: BASIC,
    settings: CREDENTIALS,
    arrange: (bench) =>
      bench.fault(layerRequests, redirect(typeof location === "string" ? location : location(bench))),
    expected: "policy",
    check(bench) {
      assertEquals(layerRequestCount(bench), 1);
      assertEquals(bench.elsewhere.connections, 0);
    },
  };
}

const FOREIGN_TYPE = "application/vnd.oci.image.layer.nondistributable.v1.tar";
const FOREIGN_BYTES = Uint8Array.from({ length: 9000 }, (_, index) => index % 250);

/** A case whose layer is foreign, named at the given places. */
function foreign(
  one: Omit<AttackCase, "image">,
  urls: readonly string[],
  mediaType = FOREIGN_TYPE,
): AttackCase {
  const layer = buildLayer(FOREIGN_BYTES, { format: "oci", mediaType, descriptor: { urls } });
  return { ...one, image: imageWith({ layers: [layer] }) };
}

/** Attacks by redirects and foreign layers: where we are sent, and what we show there. */
export const ATTACKS_ON_REDIRECTS: readonly AttackCase[] = [
  {
    name: "a blob host sees no Basic of the registry",
    registry: BASIC,
    redirectsBlobs: true,
    settings: CREDENTIALS,
    expected: "success",
    check(bench) {
      assert(bench.elsewhere.requests.length > 0);
      elsewhereSawNothing(bench);
    },
  },
  {
    name: "a blob host sees no token of the registry",
    registry: TOKENS,
    redirectsBlobs: true,
    settings: CREDENTIALS,
    expected: "success",
    check: elsewhereSawNothing,
  },
  {
    name: "a blob host that breaks is asked again by way of the registry, whose signature is not told",
    redirectsBlobs: true,
    arrange: ({ elsewhere }) =>
      void elsewhere.fault({ match: layerRequests, action: drop(100_000), times: 1 }),
    expected: "success",
    check(bench) {
      assertEquals(layerRequestCount(bench), 2);
      assertEquals(bench.elsewhere.requests.at(-1)?.headers.get("range"), "bytes=100000-");
    },
  },
  {
    name: "a blob host that fails names no signature",
    redirectsBlobs: true,
    arrange: ({ elsewhere }) =>
      void elsewhere.fault({ match: () => true, action: answer(403, {}, "expired") }),
    expected: "auth-refused",
  },
  {
    name: "a blob host's own challenge is answered with nothing of ours",
    registry: TOKENS,
    redirectsBlobs: true,
    settings: CREDENTIALS,
    arrange: ({ elsewhere }) =>
      void elsewhere.fault({
        match: () => true,
        action: answer(401, { "WWW-Authenticate": 'Basic realm="give me"' }),
      }),
    expected: "auth-refused",
    check: elsewhereSawNothing,
  },
  {
    name: "a blob host's own token server gets no credentials",
    registry: TOKENS,
    redirectsBlobs: true,
    settings: CREDENTIALS,
    arrange({ elsewhere }) {
      elsewhere.fault({
        match: ({ path, headers }) => path !== "/token" && !headers.has("authorization"),
        action: answer(401, { "WWW-Authenticate": `Bearer realm="${elsewhere.origin}/token"` }),
      });
      elsewhere.fault({
        match: ({ path }) => path === "/token",
        action: answer(200, {}, '{"token":"theirs"}'),
      });
    },
    // their host refuses every Authorization; what matters is whose it was
    expected: "registry-failure",
    check({ elsewhere }) {
      const shown = elsewhere.requests.map(({ headers }) => headers.get("authorization")).filter((one) =>
        one !== null
      );
      assertEquals(new Set(shown), new Set(["Bearer theirs"]));
    },
  },
  {
    name: "whoever sends us back to the registry does not get our proof used",
    registry: BASIC,
    settings: CREDENTIALS,
    arrange({ fault, elsewhere, registry, layer }) {
      fault(layerRequests, redirect(`${elsewhere.origin}/bounce`), { times: 1 });
      elsewhere.fault({ match: () => true, action: redirect(`${registry.origin}/v2/iot/fw/blobs/${layer}`) });
    },
    expected: "auth-refused",
    check(bench) {
      const last = requestsOf(bench, layerRequests).at(-1);
      assertEquals([last?.status, last?.headers.get("authorization")], [401, null]);
      elsewhereSawNothing(bench);
    },
  },
  {
    name: "a manifest redirected elsewhere takes no proof along",
    registry: BASIC,
    settings: CREDENTIALS,
    arrange: ({ fault, elsewhere }) =>
      fault(
        (request, reply) => manifestRequests("v1")(request) && reply.status === 200,
        redirect(`${elsewhere.origin}/m`),
      ),
    expected: "not-found",
    check: elsewhereSawNothing,
  },
  {
    name: "redirects in circles end after ten",
    arrange: ({ fault }) => fault(layerRequests, redirect((request) => `${request.path}?again`)),
    expected: "policy",
    check: (bench) => assertEquals(layerRequestCount(bench), 11),
  },
  {
    name: "every kind of redirect is followed",
    arrange({ fault }) {
      for (const [skip, status] of [301, 302, 303, 307, 308].entries()) {
        fault(layerRequests, redirect((request) => `${request.path}?${status}`, status), { skip, times: 1 });
      }
    },
    expected: "success",
    check: (bench) => assertEquals(layerRequestCount(bench), 6),
  },
  refused("a redirect to the cloud's metadata is refused", "http://169.254.169.254/latest/meta-data"),
  refused("a redirect to link-local IPv6 is refused", "http://[fe80::1]/x"),
  refused("a redirect to an address that maps to it is refused", "http://[::ffff:169.254.169.254]/x"),
  refused("a redirect with userinfo is refused", ({ elsewhere }) => `http://user:x@${elsewhere.host}/x`),
  refused("a redirect to a file is refused", "file:///etc/passwd"),
  refused("a redirect to data is refused", "data:application/octet-stream,x"),
  refused("a refused redirect does not tell its query", "http://169.254.169.254/x?hunter2-password"),
  refused("a redirect to nowhere is refused", "http://"),
  foreign({
    name: "a foreign layer comes from its registry first",
    expected: "success",
  }, ["http://127.0.0.1:1/layer"]),
  foreign({
    name: "a foreign layer that no place has is not found",
    registry: BASIC,
    settings: CREDENTIALS,
    arrange: ({ fault }) =>
      fault(({ path }) => path.includes("/blobs/") && path.endsWith(foreignDigest()), answer(404)),
    expected: "not-found",
  }, ["http://169.254.169.254/layer", "file:///etc/passwd", "http://user:x@127.0.0.1/layer", "nonsense"]),
  foreign(
    {
      name: "places of a layer that is not foreign are not asked",
      arrange: ({ fault }) => fault(({ path }) => path.endsWith(foreignDigest()), answer(404)),
      expected: "not-found",
    },
    ["http://127.0.0.1:1/layer"],
    "application/vnd.oci.image.layer.v1.tar",
  ),
];

function foreignDigest(): string {
  return buildLayer(FOREIGN_BYTES, { format: "oci" }).descriptor.digest;
}
