import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  answer,
  changeBody,
  chunked,
  corrupt,
  drop,
  encodeGzip,
  type FaultAction,
  ignoreRange,
  lengthen,
  manifestRequests,
  reset,
  setHeaders,
  stall,
  trickle,
  truncate,
} from "../lab/registry_fault.ts";
import {
  type AttackCase,
  type Bench,
  childManifest,
  configRequests,
  LAYER_SIZE,
  layerRequestCount,
  layerRequests,
  requestsOf,
} from "./attack_bench.ts";

/** Waits of a test are a hundredth of these. */
const IMPATIENT = { idleTimeout: 40_000 };

const tagRequests = manifestRequests("v1");

/** The Range headers with which the layer was asked for. */
function ranges(bench: Bench): (string | null)[] {
  return requestsOf(bench, ({ path }) => path.endsWith(bench.layer)).map(({ headers }) =>
    headers.get("range")
  );
}

function onceAt(
  match: Parameters<Bench["fault"]>[0],
  action: FaultAction,
  times = 1,
): Pick<AttackCase, "arrange" | "expected"> {
  return { arrange: (bench) => bench.fault(match, action, { times }), expected: "success" };
}

const STATUSES = [408, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524];

const STATUS_CASES: readonly AttackCase[] = STATUSES.flatMap((status) => [
  {
    name: `a manifest answered once with ${status} is asked for again`,
    ...onceAt(tagRequests, answer(status)),
  },
  {
    name: `a blob answered once with ${status} is asked for again`,
    ...onceAt(layerRequests, answer(status)),
  },
]);

/** Faults on the way: what breaks, stalls, lies about its length or asks for patience. */
export const FAULTS_OF_NETWORK: readonly AttackCase[] = [
  { name: "a manifest request dropped twice is sent again", ...onceAt(tagRequests, drop(), 2) },
  { name: "a manifest request reset is sent again", ...onceAt(tagRequests, reset()) },
  { name: "a manifest cut in its middle is fetched again", ...onceAt(tagRequests, drop(50)) },
  { name: "a manifest that stalls is fetched again", settings: IMPATIENT, ...onceAt(tagRequests, stall()) },
  {
    name: "a manifest that stalls in its middle is fetched again",
    settings: IMPATIENT,
    ...onceAt(tagRequests, stall(50)),
  },
  { name: "a child manifest cut is fetched again", ...onceAt(childManifest, reset(20)) },
  { name: "a config cut is fetched again", ...onceAt(configRequests, drop(20)) },
  ...STATUS_CASES,
  {
    name: "429 with Retry-After in seconds is waited for",
    arrange: ({ fault }) => fault(tagRequests, answer(429, { "Retry-After": "2" }), { times: 1 }),
    expected: "success",
    check({ registry: { requests: [first, second] } }) {
      assert((second?.at ?? 0) - (first?.at ?? 0) >= 19, "two hundredths of a second");
    },
  },
  {
    name: "429 with a time stamp as Retry-After does not make us wait for years",
    ...onceAt(tagRequests, answer(429, { "Retry-After": "1763899200" })),
  },
  {
    name: "429 for ever is a rate limit, after five requests, with what remains",
    arrange: ({ fault }) => fault(tagRequests, answer(429, { "ratelimit-remaining": "0;w=21600" })),
    expected: "rate-limited",
    check: (bench) => assertEquals(bench.registry.requests.length, 5),
  },
  {
    name: "503 for ever is the registry's failure, after five requests",
    arrange: ({ fault }) => fault(tagRequests, answer(503)),
    expected: "registry-failure",
    check: (bench) => assertEquals(bench.registry.requests.length, 5),
  },
  {
    name: "418 is not asked again",
    arrange: ({ fault }) => fault(tagRequests, answer(418)),
    expected: "registry-failure",
    check: (bench) => assertEquals(bench.registry.requests.length, 1),
  },
  {
    name: "silence for ever is unreachable",
    settings: IMPATIENT,
    arrange: ({ fault }) => fault(tagRequests, stall()),
    expected: "unreachable",
    check: (bench) => assertEquals(bench.registry.requests.length, 5),
  },
  {
    name: "a blob dropped goes on where it broke",
    ...onceAt(layerRequests, drop(100_000)),
    check: (bench) => assertEquals(ranges(bench).map((range) => range !== null), [false, true]),
  },
  {
    name: "a blob reset goes on where it broke",
    ...onceAt(layerRequests, reset(200_000)),
    check: (bench) => assertEquals(layerRequestCount(bench), 2),
  },
  {
    name: "a blob that stalls goes on where it stopped",
    settings: IMPATIENT,
    ...onceAt(layerRequests, stall(100_000)),
    check: (bench) => assertEquals(ranges(bench), [null, "bytes=100000-"]),
  },
  {
    name: "a blob cut at ten random points is whole in the end",
    arrange({ fault }) {
      const points = [3, 29_000, 41_111, 17, 60_000, 12_345, 1, 25_000, 9_999, 31_000];
      for (const [skip, bytes] of points.entries()) fault(layerRequests, drop(bytes), { skip, times: 1 });
    },
    expected: "success",
    check: (bench) => assertEquals(layerRequestCount(bench), 11),
  },
  {
    name: "a server that ignores ranges sends all again, and nothing is taken twice",
    arrange({ fault }) {
      fault(layerRequests, drop(100_000), { times: 1 });
      fault(layerRequests, ignoreRange());
    },
    expected: "success",
    check: (bench) => assertEquals(layerRequestCount(bench), 2),
  },
  ...[
    "bytes 0-99999/300000",
    "bytes 100001-299999/300000",
    "bytes 100000-299998/300000",
    "bytes 100000-299999/400000",
    "nonsense",
    null,
  ].map((
    range,
  ): AttackCase => ({
    name: `a part that calls itself '${range}' is not taken for the rest`,
    settings: IMPATIENT,
    arrange({ fault }) {
      fault(layerRequests, stall(100_000), { times: 1 });
      fault(
        ({ headers, path }) => headers.has("range") && path.includes("/blobs/"),
        setHeaders({ "Content-Range": range }),
      );
    },
    expected: "success",
    check: (bench) => assertEquals(ranges(bench), [null, "bytes=100000-", null]),
  })),
  {
    name: "416 for the rest starts again",
    settings: IMPATIENT,
    arrange({ fault }) {
      fault(layerRequests, stall(100_000), { times: 1 });
      fault(({ headers, path }) => headers.has("range") && path.includes("/blobs/"), answer(416));
    },
    expected: "success",
  },
  {
    name: "a rest with other bytes fails the digest of the whole",
    settings: IMPATIENT,
    arrange({ fault }) {
      fault(layerRequests, stall(100_000), { times: 1 });
      fault(({ headers, path }) => headers.has("range") && path.includes("/blobs/"), corrupt(5));
    },
    expected: "content-mismatch",
  },
  {
    name: "a blob that breaks at the same byte for ever is unreachable",
    arrange: ({ fault }) =>
      fault(
        layerRequests,
        (reply, request) => (request.headers.has("range") ? drop() : drop(1000))(reply, request),
      ),
    expected: "unreachable",
    check: (bench) => assertEquals(layerRequestCount(bench), 5),
  },
  {
    name: "a blob that gives one byte per connection is given up",
    arrange: ({ fault }) => fault(layerRequests, drop(1)),
    expected: "unreachable",
    check: (bench) => assertEquals(layerRequestCount(bench), 64),
  },
  {
    name: "a blob that trickles is given up",
    settings: { idleTimeout: 10_000 },
    arrange: ({ fault }) => fault(layerRequests, trickle(1, 20)),
    expected: "unreachable",
    check: (bench) => assertEquals(layerRequestCount(bench), 5),
  },
  {
    name: "a blob shorter than announced by its descriptor is refused before it is read",
    arrange: ({ fault }) => fault(layerRequests, truncate(1000, "true")),
    expected: "content-mismatch",
    check: (bench) => assertEquals(layerRequestCount(bench), 1),
  },
  {
    name: "a blob longer than its descriptor says is refused before it is read",
    arrange: ({ fault }) => fault(layerRequests, lengthen(1, "true")),
    expected: "content-mismatch",
    check: (bench) => assertEquals(layerRequestCount(bench), 1),
  },
  {
    name: "a chunked blob is as good",
    arrange: ({ fault }) => fault(layerRequests, chunked()),
    expected: "success",
  },
  {
    name: "a chunked blob with more bytes than it should have is refused",
    arrange({ fault }) {
      fault(layerRequests, lengthen(10, "true"));
      fault(layerRequests, chunked());
    },
    expected: "content-mismatch",
  },
  {
    name: "a chunked blob that ends too early for ever is unreachable",
    arrange({ fault }) {
      fault(layerRequests, truncate(1000, "true"));
      fault(layerRequests, chunked());
    },
    expected: "unreachable",
  },
  ...[["first", 0], ["last", -1]].map(([which, offset]): AttackCase => ({
    name: `a blob whose ${which} byte is another one is refused`,
    arrange: ({ fault }) => fault(layerRequests, corrupt(Number(offset))),
    expected: "content-mismatch",
    check: (bench) => assertEquals(layerRequestCount(bench), 1),
  })),
  {
    name: "a login page in place of a blob is refused",
    arrange: ({ fault }) =>
      fault(layerRequests, answer(200, { "Content-Type": "text/html" }, "<html>Log in</html>")),
    expected: "content-mismatch",
  },
  {
    name: "an empty answer in place of a blob is refused",
    arrange: ({ fault }) => fault(layerRequests, answer(200)),
    expected: "content-mismatch",
  },
  {
    name: "a blob of the right length and other content is refused",
    arrange: ({ fault }) => fault(layerRequests, changeBody((body) => new Uint8Array(body.length))),
    expected: "content-mismatch",
  },
  {
    name: "a blob that a proxy has compressed on the way is refused",
    arrange: ({ fault }) => fault(layerRequests, encodeGzip()),
    expected: "content-mismatch",
  },
  {
    name: "a blob labelled with a Content-Encoding it does not have is taken as it is",
    arrange: ({ fault }) => fault(layerRequests, setHeaders({ "Content-Encoding": "gzip" })),
    expected: "success",
    check(bench) {
      const encodings = bench.registry.requests.map(({ headers }) => headers.get("accept-encoding"));
      assertEquals(new Set(encodings), new Set(["identity"]));
    },
  },
  {
    name: "a warning of the registry is shown once",
    arrange: ({ fault }) => fault(() => true, setHeaders({ Warning: '299 - "moves to new.example"' })),
    expected: "success",
    check: ({ world }) =>
      assertEquals(world.lines.filter(({ message }) => message.includes("new.example")).length, 1),
  },
  {
    name: "a failure names the place and the offset, not the query",
    arrange: ({ fault }) =>
      fault(
        layerRequests,
        (reply, request) => (request.headers.has("range") ? drop() : drop(1000))(reply, request),
      ),
    expected: "unreachable",
    check({ world, registry }) {
      const line = world.lines.find(({ message }) => message.includes("trying again"))?.message ?? "";
      assertStringIncludes(line, registry.host);
      assertStringIncludes(line, `of ${LAYER_SIZE} bytes`);
    },
  },
];
